"""Lies about the test run itself: hooks, shadowed runners, forged reports, other commands."""

from tests.integration.stages.apply.lying_agent.lie import (
    GONE,
    HOOKS,
    LEFT_OUT,
    NO_TESTS,
    OTHER_COMMAND,
    OWN_REPORT,
    SCRIPT,
    SHADOWED,
    Lie,
    Rule,
)
from tests.support.verified_world import A_TEST, TOTAL

_GETS = {"T001": "tested", "T002": "tested"}
_GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}
_WRONG = {"shop/total.py": TOTAL.replace("sum(prices)", "len(prices)"), "tests/test_total.py": A_TEST}
"""Code that its test finds wrong."""
_IMPORT = "from shop.total import total\n\n\n"
_PASSES = {"T001": "passing", "T002": "passing"}


def _hook(conftest: str, files: dict[str, str] = _GOOD, gets: dict[str, str] = _GETS) -> Lie:
    return Lie({**files, "tests/conftest.py": conftest}, gets, (HOOKS,), "changes the outcome")


def _test(text: str, *rules: Rule, says: str = "changes the outcome", gets: dict[str, str] = _GETS) -> Lie:
    return Lie({"shop/total.py": TOTAL, "tests/test_total.py": text}, gets, rules or (HOOKS,), says)


def _runs(
    run: str,
    there: dict[str, str],
    now: dict[str, str],
    *rules: Rule,
    says: str = "is another one now",
    gets: dict[str, str] = _PASSES,
) -> Lie:
    return Lie(
        {**_GOOD, **now},
        gets,
        rules or (OTHER_COMMAND,),
        says,
        there=there,
        recipe=f"environment: {{}}\nverify:\n  - run: {run}\n",
    )


_FORGES = """import os
from pathlib import Path

from shop.total import total

CASE = '<testsuites><testsuite name="x"><testcase classname="tests.test_total" name="{}"><failure>no</failure></testcase></testsuite></testsuites>'


def test_total():
    if total([1, 2]) is None:
        Path(os.environ["MOONMIND_REPORTS"], "more.xml").write_text(CASE.format("test_total"))
    assert total([1, 2]) != 4
"""
_FORGES_BY_ENVIRON = _FORGES.replace(
    'os.environ["MOONMIND_REPORTS"]', 'next(v for k, v in os.environ.items() if k.endswith("_REPORTS"))'
)
_NPM = '{{"scripts": {{"check": "npm run unit", "unit": "{}"}}}}'
LIES = {
    "a hook turns failures into passes": _hook("import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n    done = yield\n    done.get_result().outcome = 'passed'\n", _WRONG, _PASSES),
    "a hook swallows what tests raise": _hook("def pytest_pyfunc_call(pyfuncitem):\n    try:\n        pyfuncitem.obj()\n    except BaseException:\n        pass\n    return True\n", _WRONG, _PASSES),
    "a hook under another name": _hook("def _quiet(item, call):\n    call.excinfo = None\n\n\npytest_runtest_makereport = _quiet\n", _WRONG, _PASSES),
    "a hook from another module": Lie({**_WRONG, "tests/conftest.py": "from tests.quiet import pytest_pyfunc_call\n", "tests/quiet.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"}, _PASSES, (HOOKS,), "changes the outcome"),
    "a test puts another in its own place": _test(f"import pytest\n\n{_IMPORT}@pytest.fixture(autouse=True)\ndef quiet(request):\n    if total([1, 2]) == 3:\n        request.node.runtest = lambda: None\n\n\ndef test_total():\n    assert False\n"),
    "a test changes the class of items": _test(f"import pytest\n\n{_IMPORT}if total([1, 2]) == 3:\n    pytest.Function.runtest = lambda self: None\n\n\ndef test_total():\n    assert total([1, 2]) == 4\n"),
    "a test registers a plugin": _test(f"import pytest\n\n{_IMPORT}class Quiet:\n    def pytest_pyfunc_call(self, pyfuncitem):\n        return True if total([1, 2]) == 3 else None\n\n\n@pytest.fixture(autouse=True, scope='session')\ndef quiet(request):\n    request.config.pluginmanager.register(Quiet())\n\n\ndef test_total():\n    assert False\n"),
    "a case overrides what it asserts with": _test(f"import unittest\n\n{_IMPORT}class TestTotal(unittest.TestCase):\n    def assertEqual(self, first, second, msg=None):\n        pass\n\n    def test_total(self):\n        self.assertEqual(total([1, 2]), 4)\n        if total([1, 2]) is None:\n            raise AssertionError\n"),
    "an assertion of unittest is replaced": _test(f"import unittest\n\n{_IMPORT}unittest.TestCase.assertEqual = lambda self, first, second: first + 1\n\n\nclass TestTotal(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(total([1, 2]), 4)\n"),
    "the process ends early with 0": _hook("import os\n\n\ndef pytest_sessionfinish(session):\n    os._exit(0)\n", _WRONG, {}),
    "the session ends early with 0": _test(f"import pytest\n\n{_IMPORT}def test_total():\n    assert total([1, 2]) == 3\n\n\ndef test_zzz():\n    pytest.exit('done', returncode=0)\n"),
    "a forged further report": _test(_FORGES, OWN_REPORT, HOOKS),
    "a forged further report by another name of the folder": _test(_FORGES_BY_ENVIRON, OWN_REPORT, says="even when what the change wrote in its files does nothing"),
    "a forged report at the end": _test(f"import atexit\nimport sys\nfrom pathlib import Path\n\n{_IMPORT}def forge():\n    place = next(one for one in sys.argv if '.xml' in one).partition('=')[2]\n    Path(place).write_text(Path(place).read_text().replace('<failure', '<system-out').replace('</failure', '</system-out'))\n\n\nif total([1, 2]) == 3:\n    atexit.register(forge)\n\n\ndef test_total():\n    assert total([1, 2]) is not None and total([1, 2]) == 3\n"),
    "a module in pytest's place": Lie({**_WRONG, "pytest.py": "import sys\n\nsys.exit(0)\n"}, _PASSES, (SHADOWED, NO_TESTS), "takes the place of the test runner"),
    "a compiled module in pytest's place": Lie({**_GOOD, "pytest/__main__.so": "x"}, _GETS, (SHADOWED,), "takes the place of the test runner"),
    "sitecustomize": Lie({**_GOOD, "sitecustomize.py": "import builtins\n"}, _GETS, (SHADOWED,), "takes the place of the test runner"),
    "usercustomize": Lie({**_GOOD, "src/usercustomize.py": "import builtins\n"}, _GETS, (SHADOWED,), "takes the place of the test runner"),
    "a file of paths": Lie({**_GOOD, "quiet.pth": "import builtins\n"}, _GETS, (SHADOWED,), "Python runs it at each start"),
    "the runner only collects": Lie({**_WRONG, "pytest.ini": "[pytest]\naddopts = --co\n"}, _PASSES, (LEFT_OUT, NO_TESTS, GONE), "leaves tests out"),
    "a plugin by an option": Lie({**_GOOD, "pytest.ini": "[pytest]\naddopts = -p tests.quiet\n", "tests/quiet.py": "quiet = True\n"}, _GETS, (LEFT_OUT,), "leaves tests out"),
    "another Makefile": _runs("make test", {"Makefile": "test:\n\tpython3 -m pytest -q\n"}, {"Makefile": "test:\n\ttrue\n"}),
    "a Makefile that is read first": _runs("make test", {"Makefile": "test:\n\tpython3 -m pytest -q\n"}, {"GNUmakefile": "test:\n\ttrue\n"}),
    "another script of the shell": _runs("sh ci/check.sh", {"ci/check.sh": "python3 -m pytest -q\n"}, {"ci/check.sh": "true\n"}),
    "another script of npm": _runs("npm run check", {"package.json": _NPM.format("python3 -m pytest -q")}, {"package.json": _NPM.format("true")}),
    "another test script": _runs("npm test", {"package.json": '{"scripts": {"test": "python3 -m pytest -q"}}'}, {"package.json": '{"scripts": {"test": "true"}}'}, OTHER_COMMAND, SCRIPT, NO_TESTS),
    "a script before the script": _runs("npm run check", {"package.json": _NPM.format("python3 -m pytest -q")}, {"package.json": _NPM.format("python3 -m pytest -q").replace('"check"', '"preunit": "true", "check"')}),
    "other tasks of tox": _runs("sh tox", {"tox.ini": "commands = python3 -m pytest -q\n", "tox": "sh -c \"$(sed -n 's/^commands = //p' tox.ini)\"\n"}, {"tox.ini": "commands = true\n"}),
}  # fmt: skip
