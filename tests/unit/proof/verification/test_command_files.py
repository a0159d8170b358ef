import json

import pytest

from moonmind.proof.verification.command_files import may_replace, replaced_in
from moonmind.proof.verification.tampering import FileChange
from moonmind.proof.verification.test_commands import TestCommand


def replaced(
    run: str, path: str, before: str | None, after: str | None, *, root: str = ".", worked: bool = True
) -> str:
    command = TestCommand("unit", run, root)
    change = FileChange(path, *(None if one is None else one.encode() for one in (before, after)))
    words = replaced_in(command, change, worked=worked)
    assert may_replace(command, path) or not words
    return words


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts, "dependencies": {"a": "1"}})


@pytest.mark.parametrize(
    ("run", "path", "before", "after"),
    [
        ("make test", "Makefile", "test:\n\tpytest\n", "test:\n\ttrue\n"),
        ("make test", "GNUmakefile", None, "test:\n\ttrue\n"),
        ("make test", "Makefile", "test:\n\tpytest\n", None),
        ("sh ci/check.sh", "ci/check.sh", "pytest\n", "true\n"),
        ("./ci/check.sh -q", "ci/check.sh", "pytest\n", "true\n"),
        ("tox -e py", "tox.ini", "[testenv]\n", "[testenv]\ncommands = true\n"),
        ("nox", "noxfile.py", "a\n", "b\n"),
        ("npm run check", "package.json", package(check="jest"), package(check="true")),
        ("npm run check", "package.json", package(check="npm run a && npm run b", b="jest"), package(check="npm run a && npm run b", b="true")),
        ("npm run check", "package.json", package(check="jest"), package(check="jest", precheck="rm -r test")),
        ("npm test", "package.json", package(test="jest"), package()),
        ("npm t", "package.json", package(test="jest"), package(test="true")),
        ("yarn check", "package.json", package(check="jest"), package(check="true")),
        ("npm test", "package.json", package(test="jest"), "{"),
        ("composer test", "composer.json", package(test="phpunit"), package(test="true")),
        ("poe test", "pyproject.toml", "[tool.poe.tasks]\ntest = 'pytest'\n", "[tool.poe.tasks]\ntest = 'true'\n"),
        ("hatch run test", "pyproject.toml", "", "[tool.hatch.envs.default.scripts]\ntest = 'true'\n"),
    ],
)  # fmt: skip
def test_what_a_command_runs_is_another_one(run: str, path: str, before: str | None, after: str | None) -> None:
    assert "another one now" in replaced(run, path, before, after)
    below = replaced(run, f"web/{path}", before, after, root="web")
    assert "another one now" in below


@pytest.mark.parametrize(
    ("run", "path", "before", "after"),
    [
        ("pytest", "Makefile", "a\n", "b\n"),
        ("make test", "docs/make.md", "a\n", "b\n"),
        ("pytest tests/test_a.py", "tests/test_a.py", "a\n", "b\n"),
        ("npm test", "package.json", package(test="jest", build="tsc"), package(test="jest", build="vite")),
        ("npm test", "package.json", package(test="jest"), package(test="jest", lint="eslint")),
        ("npm test", "web/package.json", package(test="jest"), package(test="true")),
        ("pytest", "package.json", package(test="jest"), package(test="true")),
        ("poe test", "pyproject.toml", "[tool.poe.tasks]\ntest = 'a'\n", "[tool.poe.tasks]\ntest = 'a'\n[project]\nname = 'b'\n"),
        ("pytest", "pyproject.toml", "[tool.poe.tasks]\ntest = 'a'\n", ""),
        ("make test", "third/GNUmakefile", None, "test:\n\ttrue\n"),
    ],
)  # fmt: skip
def test_what_it_does_not_run_may_change(run: str, path: str, before: str | None, after: str | None) -> None:
    assert replaced(run, path, before, after) == ""


def test_what_makes_a_command_work_takes_the_place_of_nothing() -> None:
    assert replaced("make test", "Makefile", None, "test:\n\tpytest\n", worked=False) == ""
    assert replaced("make test", "Makefile", None, "test:\n\tpytest\n") != ""


@pytest.mark.parametrize("content", ["{" * 100_000, '{"scripts": [1]}', "\x00", "[tool]\npoe = 3\n", "[" * 10_000])
def test_hostile_files_raise_nothing(content: str) -> None:
    for run, path in (("npm test", "package.json"), ("poe test", "pyproject.toml")):
        assert isinstance(replaced(run, path, content, "x"), str)
        assert isinstance(replaced(run, path, package(test="a"), content), str)
