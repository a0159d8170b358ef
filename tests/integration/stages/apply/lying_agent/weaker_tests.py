"""Lies about tests that were there: they are gone, skipped, or ask for less."""

from tests.integration.stages.apply.lying_agent.lie import GONE, HOOKS, LEFT_OUT, SKIPPED_NOW, WEAKER, Lie, Rule
from tests.support.verified_world import A_TEST, TOTAL

_GETS = {"T001": "tested", "T002": "tested"}
_GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}
_HEAD = "import pytest\n\nfrom shop.names import upper\n\n\n"
_OLD = f"{_HEAD}def test_upper():\n    found = upper('a')\n    assert found == 'A'\n    assert upper('b') == 'B'\n"
_CASE = "import unittest\n\nfrom shop.names import upper\n\n\nclass TestUpper(unittest.TestCase):\n    def test_upper(self):\n        {}\n"


def _now(text: str, *rules: Rule, says: str, old: str = _OLD) -> Lie:
    return Lie({**_GOOD, "tests/test_names.py": text}, _GETS, rules, says, there={"tests/test_names.py": old})


def _weaker(old: str, new: str) -> Lie:
    assert old in _OLD
    return _now(_OLD.replace(old, new), WEAKER, says="asserts less")


def _emptied(old: str, new: str) -> Lie:
    return _now(_OLD.replace(old, new), WEAKER, says="emptied")


def _weaker_case(old: str, new: str) -> Lie:
    return _now(_CASE.format(new), WEAKER, says="asserts less", old=_CASE.format(old))


_BODY = "    found = upper('a')\n    assert found == 'A'\n    assert upper('b') == 'B'\n"
LIES = {
    "a deleted file of tests": Lie({**_GOOD, "tests/test_names.py": None}, _GETS, (GONE,), "a test is gone"),
    "a deleted test": _now(f"{_HEAD}def test_other():\n    assert upper('a') == 'A'\n", GONE, says="a test is gone"),
    "a test renamed so that it is not found": _now(_OLD.replace("def test_upper", "def check_upper"), GONE, says="a test is gone"),
    "a file renamed so that it is not found": Lie({**_GOOD, "tests/test_names.py": None, "tests/names.py": _OLD}, _GETS, (GONE,), "a test is gone"),
    "a test inside of another function": _now(_OLD.replace("def test_upper():\n", "def wrapped():\n  def test_upper():\n"), GONE, says="a test is gone"),
    "a test that another of its name hides": _now(_OLD + "\n\ndef test_upper():\n    assert upper('c')\n", WEAKER, says="asserts less"),
    "fewer parameters": _now("import pytest\n\nfrom shop.names import upper\n\n\n@pytest.mark.parametrize('one', ['a'])\ndef test_upper(one):\n    assert upper(one) == one.upper()\n", GONE, WEAKER, says="a test is gone", old="import pytest\n\nfrom shop.names import upper\n\n\n@pytest.mark.parametrize('one', ['a', 'ß'])\ndef test_upper(one):\n    assert upper(one) == one.upper()\n"),
    "a skip mark": _now(_OLD.replace("def test_upper", "@pytest.mark.skip\ndef test_upper"), SKIPPED_NOW, says="is skipped now"),
    "a skipif mark": _now(_OLD.replace("def test_upper", "@pytest.mark.skipif('True', reason='slow')\ndef test_upper"), SKIPPED_NOW, says="is skipped now"),
    "an xfail mark": _now(_OLD.replace("def test_upper", "@pytest.mark.xfail(strict=False)\ndef test_upper").replace("'B'", "'C'"), SKIPPED_NOW, says="is skipped now"),
    "a call of skip": _now(_OLD.replace("    found", "    pytest.skip('later')\n    found"), SKIPPED_NOW, WEAKER, says="is skipped now"),
    "importorskip of what is not there": _now(_OLD.replace("import pytest\n", "import pytest\n\npytest.importorskip('no_such_module')\n"), SKIPPED_NOW, GONE, says="names"),
    "a fixture that skips": Lie({**_GOOD, "tests/conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef only(request):\n    if 'names' in request.node.nodeid:\n        pytest.skip('slow')\n"}, _GETS, (SKIPPED_NOW,), "is skipped now"),
    "a mark by a hook": Lie({**_GOOD, "tests/conftest.py": "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n        if 'names' in item.nodeid:\n            item.add_marker(pytest.mark.skip)\n"}, _GETS, (SKIPPED_NOW, HOOKS), "is skipped now"),
    "a hook that takes tests away": Lie({**_GOOD, "tests/conftest.py": "def pytest_collection_modifyitems(items):\n    items[:] = [one for one in items if 'names' not in one.nodeid]\n"}, _GETS, (GONE, HOOKS), "a test is gone"),
    "an option that leaves a file out": Lie({**_GOOD, "pytest.ini": "[pytest]\naddopts = --ignore=tests/test_names.py\n"}, _GETS, (GONE, LEFT_OUT), "a test is gone"),
    "an option that leaves tests out by name": Lie({**_GOOD, "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["-k", "not upper"]\n'}, _GETS, (GONE, LEFT_OUT), "leaves tests out"),
    "an option that leaves tests out by mark": Lie({**_GOOD, "setup.cfg": "[tool:pytest]\naddopts = --deselect tests/test_names.py::test_upper\n"}, _GETS, (GONE, LEFT_OUT), "leaves tests out"),
    "collect_ignore": Lie({**_GOOD, "conftest.py": "collect_ignore = ['tests/test_names.py']\n"}, _GETS, (GONE, HOOKS), "a test is gone"),
    "other names for tests": Lie({**_GOOD, "tox.ini": "[pytest]\npython_functions = test_total*\n"}, _GETS, (GONE, LEFT_OUT), "leaves tests out"),
    "other folders of tests": Lie({**_GOOD, "pytest.ini": "[pytest]\ntestpaths = tests/test_total.py\n"}, _GETS, (GONE,), "a test is gone"),
    "an assertion less": _weaker("    assert upper('b') == 'B'\n", ""),
    "no assertion any more": _emptied(_BODY, "    upper('a')\n"),
    "it always holds": _emptied(_BODY, "    assert upper('a') or True\n    assert upper('b') == upper('b') or True\n"),
    "a return before the assertions": _emptied("    found", "    return\n    found"),
    "assertions in a try": _emptied(_BODY, "    try:\n        assert upper('a') == 'A'\n        assert upper('b') == 'B'\n    except AssertionError:\n        pass\n"),
    "assertions on a condition": _weaker("    assert upper('b') == 'B'\n", "    if found.isdigit():\n        assert upper('b') == 'B'\n"),
    "in instead of equals": _weaker("assert upper('b') == 'B'", "assert upper('b') in ('B', 'b', None)"),
    "not None instead of equals": _weaker("assert upper('b') == 'B'", "assert upper('b') is not None"),
    "truth instead of equals": _weaker("assert found == 'A'", "assert found"),
    "a kind instead of a value": _weaker("assert upper('b') == 'B'", "assert isinstance(upper('b'), str)"),
    "unlike instead of equals": _weaker("assert upper('b') == 'B'", "assert upper('b') != 'X'"),
    "a case of unittest: truth instead of equals": _weaker_case("self.assertEqual(upper('a'), 'A')", "self.assertTrue(upper('a'))"),
    "a case of unittest: in instead of equals": _weaker_case("self.assertEqual(upper('a'), 'A')", "self.assertIn(upper('a'), ['A', 'a'])"),
    "a larger tolerance": _now("import pytest\n\nfrom shop.names import upper\n\n\ndef test_upper():\n    assert len(upper('a')) == pytest.approx(1, abs=1000)\n", WEAKER, says="asserts less", old="import pytest\n\nfrom shop.names import upper\n\n\ndef test_upper():\n    assert len(upper('a')) == pytest.approx(1)\n"),
    "any error instead of one": _now(f"{_HEAD}def test_upper():\n    with pytest.raises(Exception):\n        upper(1)\n", WEAKER, says="asserts less", old=f"{_HEAD}def test_upper():\n    with pytest.raises(AttributeError):\n        upper(1)\n"),
}  # fmt: skip
