import json
from collections.abc import Mapping

import pytest

from moonmind.proof.environments.detection import detect
from moonmind.proof.environments.jsonc import read_jsonc
from moonmind.proof.environments.setup_hints import MOST_HINTS, SetupHint

COPILOT = ".github/workflows/copilot-setup-steps.yml"
DIGEST = "sha256:" + "0a" * 32


def hints(files: Mapping[str, str]) -> tuple[SetupHint, ...]:
    found = detect(list(files), lambda path: files[path].encode())
    assert found.environments == ()
    return found.hints


def test_setup_steps_for_copilot_are_shown() -> None:
    text = (
        "on: {workflow_dispatch: }\njobs:\n  copilot-setup-steps:\n    timeout-minutes: 10\n    steps:\n"
        "      - uses: actions/checkout@v5\n      - run: npm ci\n      - name: two\n        run: |\n          a\n          b\n"
    )
    assert hints({COPILOT: text}) == (
        SetupHint(COPILOT, "setup steps for Copilot, with 1 action besides", ("npm ci", "a\nb")),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jobs: &x {}\n", "not read: line 1: uses an anchor (&)"),
        ("jobs: [", "not read"),
        ("jobs: {other: {}}", "setup steps"),
        ("", "setup"),
    ],
)
def test_setup_steps_that_cannot_be_read_are_named(text: str, says: str) -> None:
    (hint,) = hints({COPILOT: text})
    assert says in hint.says
    assert hint.commands == ()


@pytest.mark.parametrize(
    "place", [".devcontainer.json", ".devcontainer/devcontainer.json", ".devcontainer/api/devcontainer.json"]
)
def test_a_development_container_shows_its_image_and_commands(place: str) -> None:
    text = """{
        // the image
        "image": "mcr.microsoft.com/devcontainers/python:3.12", /* pinned // later */
        "postCreateCommand": ["pip", "install", "-e", "."],
        "onCreateCommand": {"a": "make //x", "b": ["npm", "ci"]},
        "updateContentCommand": "",
    }"""
    assert hints({place: text}) == (
        SetupHint(
            place,
            "a development container",
            ("make //x", "npm ci", "pip install -e ."),
            "mcr.microsoft.com/devcontainers/python:3.12",
        ),
    )


@pytest.mark.parametrize(
    ("content", "says", "image"),
    [
        ({"build": {"dockerfile": "Dockerfile"}}, "built from a Dockerfile", None),
        ({"dockerComposeFile": "c.yml", "service": "x"}, "made by Compose", None),
        ({"image": f"a/b@{DIGEST}"}, "a development container", f"a/b@{DIGEST}"),
        ({"image": "x --privileged", "postCreateCommand": "a\u202eb"}, "a development container", None),
        ([], "not read", None),
    ],
)
def test_what_a_development_container_is_made_of_is_said(content: object, says: str, image: str | None) -> None:
    (hint,) = hints({".devcontainer.json": json.dumps(content, ensure_ascii=False)})
    assert says in hint.says
    assert (hint.image, hint.commands) == (image, ())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Makefile": "setup:\ntest:\ndeploy:\n"}, SetupHint("Makefile", "targets that may set up or test", ("make setup", "make test"))),
        ({"script/bootstrap": ""}, SetupHint("script/bootstrap", "a script", ("script/bootstrap",))),
        ({"Dockerfile": "", "a/Dockerfile.dev": ""}, SetupHint("Dockerfile", "an image is built from it; not read; also a/Dockerfile.dev")),
        ({"docker-compose.test.yml": ""}, SetupHint("docker-compose.test.yml", "services of Compose, which tests may need; not read")),
        ({".tool-versions": "python 3.12.1\nnodejs 22\n"}, SetupHint(".tool-versions", "asks for python 3.12.1 nodejs 22")),
    ],
)  # fmt: skip
def test_other_files_are_hints(files: dict[str, str], expected: SetupHint) -> None:
    assert hints(files) == (expected,)


def test_hints_are_bounded() -> None:
    files = {f".devcontainer/{number}/devcontainer.json": "{}" for number in range(100)}
    assert len(hints(files)) == MOST_HINTS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "// no comment", "b": "/* none */"}', {"a": "// no comment", "b": "/* none */"}),
        ('{"a": [1, 2, ], /* x */ }', {"a": [1, 2]}),
        ('{"a": "\\",}" , // c\n}', {"a": '",}'}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1} /* open', {"a": 1}),
        ('{"a": 1 / 2}', {}),
        ("[1]", {}),
        ("", {}),
    ],
)
def test_json_with_comments_is_read(text: str, value: object) -> None:
    assert read_jsonc(text) == value
