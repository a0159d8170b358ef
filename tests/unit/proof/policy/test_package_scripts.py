import json
from typing import Any

import pytest

from moonmind.proof.policy.package_scripts import changed_scripts
from moonmind.proof.policy.patch_policy import MOST_READ
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import found


def of_package(before: dict[str, Any] | None, after: dict[str, Any] | None, name: str = "package.json") -> list[str]:
    texts = [None if one is None else json.dumps({"name": "x", "scripts": one}).encode() for one in (before, after)]
    return [rule for rule, _ in changed_scripts(name, *texts)]


@pytest.mark.parametrize(
    "script", ["preinstall", "install", "postinstall", "prepare", "prepublish", "prepack", "postprepare"]
)
def test_what_runs_at_installation_is_found_added_and_changed(script: str) -> None:
    assert of_package(None, {script: "node x.js"}) == ["install_scripts"]
    assert of_package({}, {script: "node x.js"}) == ["install_scripts"]
    assert of_package({script: "a"}, {script: "b"}) == ["install_scripts"]
    assert of_package({script: "a"}, {script: "a"}) == []
    assert of_package({script: "a"}, {}) == []


def test_commands_are_named_where_they_change_and_not_where_they_are_new() -> None:
    assert of_package({"test": "jest"}, {"test": "true"}) == ["commands"]
    assert of_package({"test": "jest"}, {"test": "jest", "lint": "eslint ."}) == []
    assert of_package({"test": "a"}, {"test": "b", "postinstall": "c"}) == ["install_scripts", "commands"]


def test_composers_hooks_are_found() -> None:
    assert of_package({}, {"post-install-cmd": ["@php x"]}, "composer.json") == ["install_scripts"]
    assert of_package({"test": "a"}, {"test": ["b"]}, "composer.json") == ["commands"]


@pytest.mark.parametrize(
    ("before", "after", "hit"),
    [
        ("", '[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n', True),
        (
            '[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n',
            '[build-system]\nbuild-backend = "o"\nbackend-path = ["."]\n',
            True,
        ),
        ("", '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n', False),
        (
            '[build-system]\nbackend-path = ["."]\n',
            '[build-system]\nbackend-path = ["."]\n[project]\nname = "x"\n',
            False,
        ),
    ],
)
def test_a_build_backend_of_the_repositorys_own_is_found(before: str, after: str, hit: bool) -> None:
    assert bool(list(changed_scripts("pyproject.toml", before.encode(), after.encode()))) is hit


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"{", b"[" * 100_000, b'{"scripts": []}', b"[]", b"null", b'{"scripts": {"postinstall": 3}}', None],
)
@pytest.mark.parametrize("name", ["package.json", "composer.json", "pyproject.toml"])
def test_whatever_a_manifest_holds_raises_nothing(name: str, data: bytes | None) -> None:
    list(changed_scripts(name, data, data))
    list(changed_scripts(name, None, data))


HOOK = '"scripts": {"postinstall": "sh x"}'
INT = "1" * 5000


@pytest.mark.parametrize(
    ("path", "mode", "text"),
    [
        ("package.json", "100644", f'{{"x": {INT}, {HOOK}}}'),
        ("package.json", "100644", f'{{"x": {"[" * 100_000}{"]" * 100_000}, {HOOK}}}'),
        ("package.json", "100644", None),
        ("a/package.json", "120000", None),
        ("Package.json", "100644", f"{{{HOOK}}}"),
        ("composer.json", "100644", f'{{"x": {INT}}}'),
        ("pyproject.toml", "100644", f"x = {INT}"),
        ("pyproject.toml", "100644", None),
        ("pyproject.toml", "120000", None),
    ],
)
@pytest.mark.parametrize("status", ["A", "M", "T"])
def test_a_manifest_that_cannot_be_looked_into_is_a_draft(path: str, mode: str, text: str | None, status: str) -> None:
    change = a_change(path, status, mode, link="cfg.json", old="000000" if status == "A" else "100644")
    findings = found(change, files={path: ("{}" if path.endswith("json") else "", text)})
    assert [(one.rule, one.severity) for one in findings] == [("install_scripts", Severity.DRAFT)]


@pytest.mark.parametrize("before", ["{", None])
def test_what_a_manifest_was_before_hides_nothing(before: str | None) -> None:
    change = a_change("package.json", "M", old="100644")
    assert [one.rule for one in found(change, files={"package.json": (before, f"{{{HOOK}}}")})] == ["install_scripts"]
    assert not found(change, files={"package.json": (before, "{}")})


def test_more_manifests_than_are_looked_into_are_no_way_past_the_rule() -> None:
    changes = [a_change(f"a{number:04}/package.json") for number in range(MOST_READ)] + [a_change("z/package.json")]
    (one,) = (one for one in found(*changes) if one.rule == "install_scripts")
    assert one.path == "z/package.json"
    assert "not looked into" in one.words
