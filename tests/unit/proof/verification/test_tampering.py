import time

import pytest

from moonmind.proof.verification.tampering import MOST, FileChange, find_tampering
from moonmind.proof.verification.tampering_finding import Tampering, TamperingFinding


def found(path: str, after: str, before: str | None = None) -> tuple[TamperingFinding, ...]:
    return find_tampering([FileChange(path, before.encode() if before is not None else None, after.encode())])


@pytest.mark.parametrize(
    ("path", "before", "after", "kind"),
    [
        ("pytest.py", None, "def main(): pass\n", Tampering.SHADOWS),
        ("src/_pytest/runner.py", None, "x = 1\n", Tampering.SHADOWS),
        ("unittest/__init__.py", None, "x = 1\n", Tampering.SHADOWS),
        ("tests/pluggy.py", None, "x = 1\n", Tampering.SHADOWS),
        ("sitecustomize.py", None, "x = 1\n", Tampering.SHADOWS),
        ("src/usercustomize.py", None, "x = 1\n", Tampering.SHADOWS),
        ("lib/evil.pth", None, "import evil\n", Tampering.SHADOWS),
        ("node_modules/jest/index.js", None, "x\n", Tampering.SHADOWS),
        ("web/node_modules/.bin/vitest", None, "#!/bin/sh\n", Tampering.SHADOWS),
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}', Tampering.SCRIPT),
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "jest", "pretest": "sed"}}', Tampering.SCRIPT),
        ("package.json", "{}", '{"jest": {\n"passWithNoTests": true}}', Tampering.DESELECTS),
        ("pyproject.toml", "", 'addopts = "-k not slow"\n', Tampering.DESELECTS),
        ("pytest.ini", None, "[pytest]\naddopts = --ignore=tests/test_a.py\n", Tampering.DESELECTS),
        ("tox.ini", "", "addopts = -p no:cacheprovider -p evil\n", Tampering.DESELECTS),
        ("setup.cfg", "", "python_files = none_*.py\n", Tampering.DESELECTS),
        ("jest.config.js", "", "testPathIgnorePatterns: ['a']\n", Tampering.DESELECTS),
        ("vitest.config.ts", "", "test: { exclude: ['**/a*'] }\n", Tampering.DESELECTS),
        ("vite.config.ts", "", "  passWithNoTests: true,\n", Tampering.DESELECTS),
        ("conftest.py", None, "def pytest_runtest_makereport(item, call):\n    ...\n", Tampering.OUTCOMES),
        ("tests/conftest.py", "", "def pytest_collection_modifyitems(items):\n    items.clear()\n", Tampering.OUTCOMES),
        ("tests/conftest.py", "", "    def pytest_sessionfinish(session):\n", Tampering.OUTCOMES),
        ("tests/conftest.py", "", "collect_ignore = ['test_a.py']\n", Tampering.OUTCOMES),
        ("src/a.py", "", "import os; os._exit(0)\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "unittest.TestCase.assertEqual = lambda *a: None\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "setattr(pytest, 'raises', x)\n", Tampering.OUTCOMES),
        ("tests/a.test.js", "", "globalThis.expect = () => ok\n", Tampering.OUTCOMES),
        ("tests/a.test.ts", "", "process.exit(0)\n", Tampering.OUTCOMES),
        ("pytest.pyc", None, "x", Tampering.SHADOWS),
        ("src/_pytest/runner.cpython-311-x86_64-linux-gnu.so", None, "x", Tampering.SHADOWS),
        ("pyproject.toml", "", 'addopts = ["-k", "not slow"]\n', Tampering.DESELECTS),
        ("pytest.ini", None, "[pytest]\naddopts = --co\n", Tampering.DESELECTS),
        ("setup.cfg", "", "usefixtures = quiet\n", Tampering.DESELECTS),
        (".npmrc", None, "node-options=--require ./quiet.js\n", Tampering.DESELECTS),
        ("conftest.py", None, "pytest_runtest_call = quiet\n", Tampering.OUTCOMES),
        ("conftest.py", None, "from quiet import pytest_pyfunc_call\n", Tampering.OUTCOMES),
        ("conftest.py", None, "def pytest_configure(config):\n    config.option.keyword = 'a'\n", Tampering.OUTCOMES),
        ("tests/conftest.py", "", "    report.outcome = 'passed'\n", Tampering.OUTCOMES),
        ("tests/conftest.py", "", "    config.pluginmanager.register(Quiet())\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    request.node.runtest = lambda: None\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    request.node.obj = quiet\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    setattr(request.node, 'runtest', quiet)\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    self._outcome.success = True\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    def assertEqual(self, a, b):\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "atexit.register(forge)\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    place = request.config.option.xmlpath\n", Tampering.OUTCOMES),
        ("tests/test_a.py", "", "    pytest.exit('done', returncode=0)\n", Tampering.OUTCOMES),
        ("src/a.py", "", "x = os.environ['MOONMIND_REPORTS']\n", Tampering.OUTCOMES),
        ("src/a.py", "", "sys.modules['pytest'] = quiet\n", Tampering.OUTCOMES),
        ("test/a.test.js", "", "fs.writeFileSync(process.env.MOONMIND_REPORTS + '/a.xml', x)\n", Tampering.OUTCOMES),
    ],
)  # fmt: skip
def test_what_takes_the_tests_out_of_force_confirms_nothing(
    path: str, before: str | None, after: str, kind: Tampering
) -> None:
    assert [(one.kind, one.subject, one.confirms_nothing) for one in found(path, after, before)] == [(kind, path, True)]


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("src/shop/unittest_data.py", None, "x = 1\n"),
        ("tests/unittest/test_a.py", None, "assert a\n"),
        ("src/shop/site.py", None, "x = 1\n"),
        ("docs/pytest/index.md", None, "x\n"),
        ("tests/conftest.py", None, "import pytest\n\n@pytest.fixture\ndef client():\n    return 1\n"),
        ("tests/test_a.py", None, "import pytest\nx = pytest.raises\nassert pytest.approx(1) == 1\n"),
        ("tests/test_a.py", None, "# os._exit(0) would end it\n"),
        ("conftest.py", None, "def pytest_configure(config):\n    'Marks.'\n    config.addinivalue_line('markers', 'slow: s')\n"),
        ("conftest.py", None, "def pytest_addoption(parser):\n    parser.addoption('--slow')\n"),
        ("src/a.py", None, "import atexit\natexit.register(close)\n"),
        ("src/a.py", None, "report.outcome = 'passed'\nself.item.function = f\nnode.obj = 1\n"),
        ("tests/test_a.py", None, "text = inspect.getsource(a)\nassert a.__code__.co_argcount == 1\n"),
        ("tests/test_a.py", None, "sys.modules['shop.api'] = fake\nself.assertEqual(a.session.items, 1)\n"),
        ("pytest.ini", None, "[pytest]\naddopts = -q --cov=shop --strict-markers\n"),
        ("package.json", None, '{"scripts": {"test": "jest"}}'),
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "jest"}, "dependencies": {"a": "1"}}'),
        ("pyproject.toml", "", 'dependencies = ["attrs"]\n'),
        ("pytest.ini", None, "[pytest]\ntestpaths = tests\n"),
        ("src/server.ts", None, "process.exit(1)\n"),
        ("pytest.py", "x", "x"),
    ],
)  # fmt: skip
def test_ordinary_changes_are_not_found(path: str, before: str | None, after: str) -> None:
    assert found(path, after, before) == ()


def test_a_report_that_came_along_is_only_said() -> None:
    (one,) = found("out/results.xml", "<?xml?><testsuites><testsuite/></testsuites>")
    assert (one.kind, one.confirms_nothing) == (Tampering.REPORT, False)
    assert found("data/feed.xml", "<feed/>") == ()


@pytest.mark.parametrize("path", ["json.py", "src/decimal/__init__.py", "tests/random.py"])
def test_a_module_named_as_one_of_python_is_only_said(path: str) -> None:
    (one,) = found(path, "x = 1\n")
    assert (one.kind, one.confirms_nothing) == (Tampering.SHADOWS, False)
    assert found(f"shop/{path}", "x = 1\n") == ()


@pytest.mark.parametrize(
    ("text", "voids"),
    [
        ("T001 Add a cart", (True, True)),
        ("T001 Remove the old cart and its tests", (False, True)),
        ("T001 Rename the cart tests", (False, True)),
        ("T001 Skip the flaky test", (True, False)),
    ],
)
def test_tests_may_go_or_be_skipped_where_a_task_asks_for_it(text: str, voids: tuple[bool, bool]) -> None:
    by_kind = {
        one.kind: one.confirms_nothing for one in find_tampering([], gone=["a"], now_skipped=["b"], texts=[text])
    }
    assert (by_kind[Tampering.GONE], by_kind[Tampering.SKIPPED]) == voids


@pytest.mark.parametrize(
    "content",
    [b"\0\xff" * 100_000, b'{"scripts":' * 50_000, b"x" * 2_000_000, b"pytest." * 100_000, b"a\n" * 200_000, b"[]"],
)
@pytest.mark.parametrize("path", ["package.json", "conftest.py", "pytest.ini", "a/" * 2_000 + "x.xml"])
def test_hostile_files_cost_neither_time_nor_an_error(path: str, content: bytes) -> None:
    began = time.process_time()
    find_tampering([FileChange(path, None, content), FileChange(path, content, None), FileChange(path, content, b"x")])
    assert time.process_time() - began < 3


def test_findings_are_bounded_and_those_that_void_the_run_come_first() -> None:
    many = find_tampering([FileChange("a.xml", None, b"<testsuite>")], gone=[f"t{number}" for number in range(5_000)])
    assert len(many) == MOST
    assert all(one.confirms_nothing for one in many)


@pytest.mark.parametrize(
    ("path", "before", "after", "kind"),
    [
        ("tests/test_a.py", "assert f() == 1; assert g()", "assert f() == 1", Tampering.WEAKENED),
        ("tests/test_a.py", "assert f() == 1; assert g()", "f()", Tampering.EMPTIED),
        ("shop/test_a.py", "assert f() == 1", "assert True", Tampering.EMPTIED),
    ],
)
@pytest.mark.parametrize(("text", "confirms_nothing"), [("T001 Add a cart", True), ("T001 Merge the tests", False)])
def test_a_test_that_asserts_less_confirms_nothing_unless_a_task_asks_for_it(
    path: str, before: str, after: str, kind: Tampering, text: str, confirms_nothing: bool
) -> None:
    change = FileChange(path, f"def test_a(): {before}\n".encode(), f"def test_a(): {after}\n".encode())
    (one,) = find_tampering([change], texts=[text])
    assert (one.kind, one.subject, one.confirms_nothing) == (kind, f"{path}::test_a", confirms_nothing)


def test_a_file_that_is_no_test_or_new_or_gone_asserts_what_it_likes() -> None:
    more, less = b"def test_a(): assert f()\n", b"def test_a(): pass\n"
    for change in (
        FileChange("shop/cart.py", more, less),
        FileChange("tests/test_a.py", None, less),
        FileChange("tests/test_a.py", more, None),
        FileChange("tests/test_a.py", less, more),
    ):
        assert find_tampering([change]) == ()


def test_what_is_too_much_to_be_compared_confirms_nothing() -> None:
    full = b"#" * 500_000
    changes = [FileChange(f"tests/test_{number}.py", full, full + b"#") for number in range(10)]
    late = find_tampering(changes)
    assert {one.subject for one in late} == {"tests/test_8.py", "tests/test_9.py"}
    assert all(one.kind is Tampering.WEAKENED and one.confirms_nothing for one in late)
    data = [FileChange(f"tests/data/{number}.json", full, full + b"#") for number in range(10)]
    assert find_tampering(data) == ()
