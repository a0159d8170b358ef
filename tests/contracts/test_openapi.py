"""The published contract and the application say the same, both ways."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from api_service.app import create_app
from moonmind.wire import AnswerRun

CONTRACT = Path(__file__).parents[2] / "specs/001-celery-chain-workflow/contracts/workflow.openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
WORDS = {"title", "description", "summary", "example", "examples", "tags", "headers", "security"}

Json = Any


@pytest.fixture(scope="module")
def contract() -> Json:
    return yaml.safe_load(CONTRACT.read_text())


@pytest.fixture(scope="module")
def served() -> Json:
    return create_app().openapi()


def resolve(document: Json, node: Json) -> Json:
    """Follow references until there is none; what stands beside a reference is kept."""
    while isinstance(node, dict) and "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{name: value for name, value in node.items() if name != "$ref"}}
    return node


def plain_schema(document: Json, schema: Json) -> Json:
    """Write a schema in one way: references followed, words dropped, `null` told by one flag."""
    schema = dict(resolve(document, schema))
    options = schema.pop("anyOf", None)
    if options is not None:
        kept = [option for option in options if option.get("type") != "null"]
        assert len(kept) == 1, f"only `X or null` is expected, not {options}"
        nullable = len(kept) != len(options)
        return {**plain_schema(document, kept[0]), **plain_schema(document, schema), "nullable": nullable}
    plain: Json = {"nullable": False} if "type" in schema else {}
    for name, value in schema.items():
        match name:
            case "type" if isinstance(value, list):
                plain["nullable"] = "null" in value
                (plain["type"],) = [each for each in value if each != "null"]
            case "enum":
                plain["enum"] = sorted(each for each in value if each is not None)
            case "required":
                plain["required"] = sorted(value)
            case "properties":
                plain["properties"] = {each: plain_schema(document, value[each]) for each in sorted(value)}
            case "items" | "additionalProperties" if isinstance(value, dict):
                plain[name] = plain_schema(document, value)
            case "default" if value is None:
                pass
            case _ if name not in WORDS:
                plain[name] = value
    return plain


def plain_content(document: Json, content: Json) -> Json:
    return {media: plain_schema(document, each.get("schema", {})) for media, each in sorted(content.items())}


def plain_operation(document: Json, operation: Json) -> Json:
    parameters = {}
    for given in operation.get("parameters", []):
        parameter = resolve(document, given)
        schema = plain_schema(document, parameter["schema"])
        schema.pop("nullable")  # an absent parameter is no null
        parameters[f"{parameter['in']}: {parameter['name']}"] = (parameter.get("required", False), schema)
    body = resolve(document, operation.get("requestBody", {}))
    return {
        "operationId": operation["operationId"],
        "parameters": parameters,
        "body": (body.get("required", False), plain_content(document, body.get("content", {}))),
        "responses": {
            str(status): plain_content(document, resolve(document, response).get("content", {}))
            for status, response in operation["responses"].items()
        },
    }


def plain_operations(document: Json) -> dict[str, Json]:
    return {
        f"{method.upper()} {path}": plain_operation(document, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def plain_schemas(document: Json) -> dict[str, Json]:
    return {name: plain_schema(document, schema) for name, schema in document["components"]["schemas"].items()}


def examples(document: Json) -> Iterator[tuple[str, Json, Json]]:
    """List every example beside the schema it belongs to, wherever in the document it stands."""

    def walk(place: str, node: Json) -> Iterator[tuple[str, Json, Json]]:
        if isinstance(node, dict):
            if "schema" in node and "examples" in node:
                for name, example in node["examples"].items():
                    yield f"{place}/{name}", node["schema"], resolve(document, example)["value"]
            for name, child in node.items():
                yield from walk(f"{place}/{name}", child)
        elif isinstance(node, list):
            for index, child in enumerate(node):
                yield from walk(f"{place}/{index}", child)

    yield from walk("#", document)


def test_the_contract_is_valid_openapi_3_1(contract: Json) -> None:
    OpenAPIV31SpecValidator(contract).validate()


def test_what_is_served_is_valid_openapi_3_1(served: Json) -> None:
    OpenAPIV31SpecValidator(served).validate()


def test_every_operation_is_in_both(contract: Json, served: Json) -> None:
    assert sorted(plain_operations(contract)) == sorted(plain_operations(served))


def test_every_operation_is_the_same_in_both(contract: Json, served: Json) -> None:
    promised, kept = plain_operations(contract), plain_operations(served)
    for name in promised:
        assert promised[name] == kept[name], name


def test_every_schema_is_in_both(contract: Json, served: Json) -> None:
    assert sorted(contract["components"]["schemas"]) == sorted(served["components"]["schemas"])


def test_every_schema_is_the_same_in_both(contract: Json, served: Json) -> None:
    promised, kept = plain_schemas(contract), plain_schemas(served)
    for name in promised:
        assert promised[name] == kept[name], name


def valid(contract: Json, schema: Json, value: Json) -> bool:
    return not [*Draft202012Validator({**schema, "components": contract["components"]}).iter_errors(value)]


def test_null_is_valid_wherever_a_type_names_it(contract: Json) -> None:
    fields = [
        (f"{name}.{field}", each)
        for name, schema in contract["components"]["schemas"].items()
        for field, each in schema.get("properties", {}).items()
        if "null" in each.get("type", ())
    ]
    assert len(fields) >= 10
    assert [place for place, each in fields if not valid(contract, each, None)] == []


@pytest.mark.parametrize("field", ["approve", "reject"])
@pytest.mark.parametrize("value", [True, False, None, 1, "true"])
def test_the_contract_and_the_model_take_the_same_words_of_approval(contract: Json, field: str, value: Json) -> None:
    body = {field: value} | ({"choice": "go"} if value is None else {})
    try:
        taken = AnswerRun.model_validate(body) is not None
    except ValidationError:
        taken = False
    assert taken is (value is True or value is None)
    assert valid(contract, contract["components"]["schemas"]["AnswerRun"], body) is taken


def test_every_example_keeps_to_its_schema(contract: Json) -> None:
    found = list(examples(contract))
    assert len(found) >= 10
    for place, schema, value in found:
        whole = {**schema, "components": contract["components"]}
        problems = list(Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value))
        assert not problems, f"{place}: {[problem.message for problem in problems]}"


def test_every_error_code_in_an_example_is_one_that_we_raise(contract: Json) -> None:
    from moonmind import errors

    known = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    codes = {value["code"] for _, _, value in examples(contract) if isinstance(value, dict) and "code" in value}
    assert codes
    assert codes <= known


def test_a_difference_would_be_seen(contract: Json, served: Json) -> None:
    changed = {**served, "components": {"schemas": {**served["components"]["schemas"]}}}
    run = changed["components"]["schemas"]["SpecWorkflowRun"]
    changed["components"]["schemas"]["SpecWorkflowRun"] = {
        **run,
        "properties": {name: value for name, value in run["properties"].items() if name != "branchName"},
    }
    assert (
        plain_operations(contract)["GET /api/workflows/speckit/runs"]
        == plain_operations(served)["GET /api/workflows/speckit/runs"]
    )
    assert (
        plain_operations(contract)["GET /api/workflows/speckit/runs"]
        != plain_operations(changed)["GET /api/workflows/speckit/runs"]
    )
