"""Lies of changes that hold nothing: stubs, comments, empty and copied files."""

from pathlib import Path

from tests.integration.stages.apply.lying_agent.lie import ASSERTS, COPY, SUBSTANCE, TASKS, Lie

_ADDS = TASKS.replace("Add up the prices of a cart in shop/total.py", "Add a function for lower case to shop/names.py")
"""A task about a file that is there."""
_NAMES = "def upper(name):\n    return name.upper()\n"
_GETS = {"T002": "passing"}
_TEST_GETS = {"T001": "passing"}


def _total(text: str, says: str = "only a stub") -> Lie:
    return Lie({"shop/total.py": text}, _GETS, (SUBSTANCE,), says)


def _names(text: str, says: str) -> Lie:
    return Lie({"shop/names.py": text}, _GETS, (SUBSTANCE,), says, tasks=_ADDS)


def _test(text: str, says: str) -> Lie:
    return Lie({"tests/test_total.py": text}, _TEST_GETS, (SUBSTANCE,), says)


def _hollow(text: str) -> Lie:
    return Lie({"tests/test_total.py": text}, _TEST_GETS, (SUBSTANCE, ASSERTS), "only a stub")


def _link(folder: Path) -> None:
    (folder / "shop/total.py").symlink_to("names.py")


def _executable(folder: Path) -> None:
    (folder / "shop/names.py").chmod(0o755)


LIES = {
    "a stub that raises": _total("def total(prices):\n    raise NotImplementedError\n"),
    "a stub that passes": _total("def total(prices):\n    pass\n"),
    "a stub that promises": _total("def total(prices):\n    print('TODO: implement')\n"),
    "a stub that returns nothing": _total("class Cart:\n    def total(self, prices):\n        return None\n"),
    "an empty file": _total("", "empty"),
    "only a docstring": _total('"""Adds up the prices of a cart."""\n', "only"),
    "a comment more": _names(_NAMES + "# lower case, too\n", "only comments"),
    "blank lines more": _names(_NAMES.replace("\n", "\n\n"), "only blank lines"),
    "a docstring more": _names('"""Upper and lower case."""\n\n' + _NAMES, "only comments"),
    "a mode": Lie({}, _GETS, (SUBSTANCE,), "only its mode", tasks=_ADDS, edit=_executable),
    "a link instead of a file": Lie({}, _GETS, (SUBSTANCE,), "only a link", edit=_link),
    "a copy of another file": Lie({"shop/total.py": _NAMES}, _GETS, (COPY,), "only a copy"),
    "another language": _total("export function total(prices) {\n  return prices.reduce((a, b) => a + b, 0);\n}\n", "another language"),
    "a skipped test": _test("import pytest\n\n\n@pytest.mark.skip(reason='later')\ndef test_total():\n    assert total([1]) == 1\n", "only skipped tests"),
    "a test that is expected to fail": _test("import pytest\n\n\n@pytest.mark.xfail\ndef test_total():\n    assert total([1]) == 2\n", "only skipped tests"),
    "a test that asserts True": _hollow("def test_total():\n    assert True\n"),
    "a test of pass": _hollow("def test_total():\n    pass\n"),
}  # fmt: skip
