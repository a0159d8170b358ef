"""Lines that change what a test run does or reports, by their text: what happens in a process's memory is not to be seen from outside.

A heuristic: it finds the ways that people use, and not every way there is.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from moonmind.proof.python_parsing import parse_python
from moonmind.speckit.evidence import is_test

LONGEST_LINE = 2_000
_PYTHON = (".py", ".pyw", ".pyi")
_SCRIPTS = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".jsx", ".tsx")
_HOOK = (
    r"pytest_(?:runtest_\w+|collection\w*|collect_\w+|itemcollected|deselected|sessionfinish|sessionstart|report_\w+|pyfunc_call|"
    r"cmdline_\w+|ignore_collect|exception_interact|terminal_summary|configure|unconfigure|load_initial_conftests|pycollect_\w+|"
    r"fixture_setup|generate_tests_hook|make_collect_report|plugin_registered)"
)
_ASSERTION = (
    r"assert(?:Equals?|NotEquals?|True|False|Is|IsNot|IsNone|IsNotNone|In|NotIn|Raises|RaisesRegex|AlmostEqual|Greater|GreaterEqual|Less|LessEqual"
    r"|Regex|CountEqual|DictEqual|ListEqual|IsInstance)"
)
_IN_PYTHON = re.compile(
    rf"\bdef\s+(?:{_HOOK}|load_tests|wasSuccessful)\b|^\s*{_HOOK}\s*[=,]|\bimport\b.*\b{_HOOK}\b|\bas\s+{_HOOK}\b"
    r"|\bos\s*\.\s*_exit\b|\bcollect_ignore(?:_glob)?\b|\b(?:os\s*\.\s*)?(?:kill|abort)\s*\(\s*os\s*\.\s*getpid|\bpytest\s*\.\s*exit\s*\("
    r"|\b(?:TestCase|TestResult|TextTestResult|TestReport|Item|Function|CallInfo|ExitCode|TestProgram|TextTestRunner|TestSuite|TestLoader)"
    r"\s*\.\s*\w+\s*=[^=]"
    r"|\b(?:pytest|unittest|_pytest|builtins)(?:\s*\.\s*\w+)+\s*=[^=]"
    r"|\bsetattr\s*\(\s*['\"]?(?:(?:pytest|unittest|_pytest|builtins|TestCase|TestReport)\b|request\s*\.\s*node\b|item\s*,)"
    r"|\bsys\s*\.\s*modules\s*\[\s*['\"](?:pytest|_pytest|unittest|pluggy|builtins)\b"
    r"|\.\s*runtest\s*=[^=]|\bsession\s*\.\s*(?:testsfailed|testscollected|exitstatus|shouldfail)\s*=[^=]"
    r"|\.\s*(?:addFailure|addError|addSubTest|wasSuccessful)\s*=[^=]|\b_outcome\s*\.\s*(?:success|errors|result)\b"
    r"|(?:environ\b|getenv\s*\().{0,40}\b(?:MOONMIND_(?:REPORTS|UNITTEST|JOB)|PYTEST_ADDOPTS|PYTEST_PLUGINS)\b"
)
_IN_PYTHON_TESTS = re.compile(
    rf"\bdef\s+{_ASSERTION}\s*\(|\b{_ASSERTION}\s*=[^=]|\bfailureException\s*=[^=]|\bdef\s+run\s*\(\s*self\s*,\s*result\b"
    r"|\batexit\b|\b(?:xmlpath|LogXML)\b|\b_pytest\s*\.\s*junitxml\b|\bPYTHONOPTIMIZE\b"
    r"|\b(?:sys\s*\.\s*)?(?:settrace|setprofile|addaudithook)\s*\("
    r"|\b(?:item|node|_pyfuncitem)\s*\.\s*_?(?:obj|function|instance|reports)\s*=[^=]|\.\s*__code__\s*=[^=]"
    r"|\.\s*(?:excinfo|longrepr)\s*=[^=]|\b(?:rep|report)\s*\.\s*(?:outcome|wasxfail)\s*=[^=]|\.\s*force_(?:result|exception)\s*\("
    r"|\bpluginmanager\s*\.\s*(?:register|unregister|set_blocked|import_plugin)\s*\("
)
_IN_SCRIPTS = re.compile(
    r"\b(?:globalThis|global)\s*\.\s*(?:expect|it|test|describe|assert)\s*=[^=]|\bprocess\s*\.\s*(?:exit|exitCode|reallyExit)\b"
    r"|\bassert\s*\.\s*\w+\s*=[^=>]|\bprocess\s*\.\s*(?:on|once)\s*\(\s*['\"](?:exit|beforeExit)"
    r"|\bObject\s*\.\s*(?:assign|definePropert\w+)\s*\(\s*(?:assert|expect|globalThis)\b|\bexpect\s*\.\s*extend\s*\(.*\bto(?:Be|Equal|StrictEqual)\s*[(:]"
    r"|\bprocess\s*\.\s*env\b.{0,10}\bMOONMIND_\w+|\b(?:jest|vi)\s*\.\s*(?:mock|doMock)\s*\(\s*['\"](?:node:)?(?:assert|test|@jest/globals|vitest)"
)


def meddling_in(path: str, lines: Iterable[str]) -> str:
    """Return the first of the lines, which a change adds to a file, that changes what tests do or report; empty if none does."""
    name = path.rpartition("/")[2].casefold()
    patterns: tuple[re.Pattern[str], ...] = ()
    if name.endswith(_PYTHON):
        patterns = (_IN_PYTHON, _IN_PYTHON_TESTS) if is_test(path) or name == "conftest.py" else (_IN_PYTHON,)
    elif name.endswith(_SCRIPTS) and (is_test(path) or "setup" in name):
        patterns = (_IN_SCRIPTS,)
    for line in lines if patterns else ():
        bare = line.strip()
        if not bare.startswith(("#", "//")) and any(one.search(line[:LONGEST_LINE]) for one in patterns):
            return bare
    return ""


def harmless_lines(path: str, after: bytes) -> frozenset[str]:
    """Return the lines with which hooks begin that only make markers known to pytest."""
    if not path.endswith(".py") or b"pytest_configure" not in after:
        return frozenset()
    text = after.decode("utf-8", "replace")
    tree = parse_python(text)
    lines = text.splitlines()
    return frozenset(lines[one.lineno - 1] for one in _only_marking(tree)) if tree is not None else frozenset()


def _only_marking(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "pytest_configure" and all(map(_marks, node.body)):
            yield node


def _marks(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(attr="addinivalue_line"), args=[ast.Constant(value="markers"), _])
        ):
            return True
        case ast.For(body=body, orelse=[]):
            return all(map(_marks, body))
    return False
