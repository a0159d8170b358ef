"""The one error tree, as programs and people read it."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import moonmind
from moonmind import errors
from moonmind.errors import ErrorInfo, MoonMindError, PushRejected, Unexpected


def below(kind: type[MoonMindError]) -> list[type[MoonMindError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in below(child))]


def load_everything() -> None:
    for module in pkgutil.walk_packages(moonmind.__path__, "moonmind."):
        if not module.name.startswith(("moonmind.sample.repository", "moonmind.workflows", "moonmind.db.migrations")):
            importlib.import_module(module.name)


load_everything()
TREE = [kind for kind in below(MoonMindError) if kind.__module__.startswith("moonmind.")]
SAME_AS_THE_ROOT = {Unexpected}


def test_the_tree_is_complete() -> None:
    declared = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MoonMindError)}
    assert declared <= set(TREE)
    assert len(declared) > 40


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in TREE if kind not in SAME_AS_THE_ROOT]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", TREE)
def test_every_error_says_what_to_do_in_a_sentence(kind: type[MoonMindError]) -> None:
    assert kind.remediation.endswith(".")
    assert kind.remediation[0].isupper()
    assert kind.__doc__
    assert 400 <= kind.http_status < 600


def test_every_error_is_raised_or_reported_somewhere() -> None:
    root = Path(moonmind.__file__).parent
    places = [*root.rglob("*.py"), *(root.parent / "api_service").rglob("*.py")]
    words = {
        word
        for place in places
        if place != root / "errors.py"
        for word in re.findall(r"\b[A-Z]\w+", place.read_text("utf-8"))
    }
    assert [kind.__name__ for kind in TREE if not kind.__subclasses__() and kind.__name__ not in words] == []


def test_retrying_by_itself_is_for_what_may_pass() -> None:
    lasting = {kind.__name__ for kind in TREE if not kind.retryable}
    passing = {kind.__name__ for kind in TREE if kind.retryable}
    assert {"Unavailable", "VcsError", "ForgeError", "StoreError", "DispatchError", "AgentLost"} <= passing
    assert {"VcsDenied", "PushRejected", "CredentialInvalid", "PatchRefused", "Unexpected", "AgentNoChange"} <= lasting
    assert not any(kind.retryable for kind in TREE if kind.http_status in {401, 403, 404, 405, 409, 413, 416, 422})


def test_an_instance_speaks_for_itself_else_its_class_does() -> None:
    plain = PushRejected("the branch is protected", branch="main")
    assert (plain.advice, plain.details, str(plain)) == (
        PushRejected.remediation,
        {"branch": "main"},
        "the branch is protected",
    )
    assert PushRejected("no", remediation="Ask an owner.").advice == "Ask an owner."
    assert PushRejected("no", remediation="").advice == ""


def test_what_is_stored_of_an_error_is_read_back() -> None:
    info = PushRejected("the branch is protected", branch="main").info()
    assert ErrorInfo.from_json(info.as_json()) == info
    assert ErrorInfo("a", "b").as_json() == {"code": "a", "message": "b"}
    assert ErrorInfo.from_json({}) == ErrorInfo("unexpected", "")
