"""`python -m unittest` that also writes JUnit XML into the folder that MOONMIND_REPORTS names, and can be kept to some files.

Runs in the tests' own interpreter, Python 3.8 or later, with the standard library alone. Takes unittest's arguments, and
`--only=FILE`, any number of times: of what is found, the tests of these files alone are run. Exit codes are unittest's,
and 5 where no test ran, as newer Pythons have it.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import time
import unittest
import xml.etree.ElementTree as ET
from typing import Any

_MOST = 8000
_HELD = re.compile(r"(\w+) \((.+)\)$")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(words: object) -> str:
    """Return text that XML can hold, its end."""
    return _NOT_XML.sub("?", str(words))[-_MOST:]


def _file_of(test: Any) -> str:
    """Return the path of a test's file from the working directory; empty for one that is not below it."""
    held = _HELD.match(str(test.id()))
    module = sys.modules.get(held.group(2).rpartition(".")[0]) or sys.modules.get(held.group(2)) if held else None
    try:
        path = inspect.getsourcefile(module or type(test)) or ""
    except TypeError:
        path = ""
    if type(test).__module__ == "unittest.loader":  # a module that could not be loaded: `unittest.loader._FailedTest`
        named = os.path.join(*str(test.id()).rpartition("_FailedTest.")[2].split("."))
        found = [named + ".py", os.path.join(named, "__init__.py")]
        path = next((one for one in found if os.path.exists(one)), named + ".py")
    place = os.path.relpath(path).replace(os.sep, "/") if path else ""
    return "" if place.startswith("../") else place


class _Result(unittest.TextTestResult):
    """Keeps, for each test, the worst that became of it; its subtests count with it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.cases: dict[str, dict[str, Any]] = {}
        self._began: dict[str, float] = {}

    def startTest(self, test: Any) -> None:
        self._began[test.id()] = time.perf_counter()
        super().startTest(test)

    def stopTest(self, test: Any) -> None:
        self._note(test, "", "")
        super().stopTest(test)

    def _note(self, test: Any, kind: str, words: str) -> None:
        case = self.cases.setdefault(test.id(), {"test": test, "kind": "", "words": "", "seconds": 0.0})
        began = self._began.get(test.id())
        if began is not None:
            case["seconds"] = time.perf_counter() - began
        if case["kind"] not in ("error", "failure") and kind:
            case["kind"], case["words"] = kind, words

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note(test, "error", self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note(test, "failure", self.failures[-1][1])

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, "skipped", "it is expected to fail")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, "failure", "it was expected to fail, and passed")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            kind = "failure" if issubclass(err[0], test.failureException) else "error"
            self._note(test, kind, (self.failures if kind == "failure" else self.errors)[-1][1])


def _write(cases: dict[str, dict[str, Any]], folder: str) -> None:
    suite = ET.Element("testsuite", name="unittest", tests=str(len(cases)))
    for name, case in cases.items():
        owner, _, method = name.rpartition(".")
        held = _HELD.match(name)
        if held:  # a class or module that could not be set up
            owner, method = held.group(2), held.group(1)
        elif owner.startswith("unittest.loader._FailedTest"):
            owner, method = "", name.partition("_FailedTest.")[2]
        file = _file_of(case["test"])
        found = {"classname": _text(owner), "name": _text(method), "time": "%.3f" % case["seconds"]}
        one = ET.SubElement(suite, "testcase", found if not file else dict(found, file=_text(file)))
        if case["kind"]:
            words = _text(case["words"])
            ET.SubElement(one, case["kind"], message=words.strip().rpartition("\n")[2]).text = words
    ET.ElementTree(suite).write(os.path.join(folder, "unittest.xml"), encoding="utf-8", xml_declaration=True)


def _limited(suite: Any, wanted: frozenset[str]) -> unittest.TestSuite:
    found = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            found.addTest(_limited(test, wanted))
        elif _file_of(test) in wanted:
            found.addTest(test)
    return found


class _Program(unittest.TestProgram):
    only: frozenset[str] = frozenset()
    cases: dict[str, dict[str, Any]] = {}
    test: Any
    result: Any
    failfast: Any
    buffer: Any
    tb_locals: Any

    def runTests(self) -> None:
        if self.only:
            self.test = _limited(self.test, self.only)
        if self.catchbreak:
            unittest.installHandler()
        runner = unittest.TextTestRunner(
            verbosity=self.verbosity, failfast=self.failfast, buffer=self.buffer, warnings=self.warnings,
            tb_locals=self.tb_locals, resultclass=_Result,
        )  # fmt: skip
        self.result = runner.run(self.test)
        type(self).cases = self.result.cases


def main(arguments: list[str]) -> int:
    """Run the tests and return the exit code."""
    _Program.only = frozenset(
        os.path.normpath(one[len("--only=") :]).replace(os.sep, "/") for one in arguments if one.startswith("--only=")
    )
    rest = [one for one in arguments if not one.startswith("--only=")]
    sys.path.insert(0, os.getcwd())  # as `-m` does
    program = _Program(module=None, argv=["python -m unittest", *rest], exit=False)
    folder = os.environ.get("MOONMIND_REPORTS")
    if folder:
        _write(_Program.cases, folder)
    if not program.result.wasSuccessful():
        return 1
    return 0 if program.result.testsRun or program.result.skipped else 5


if __name__ == "__main__":
    # The folder of this file is none in which tests look for modules.
    sys.path[:] = [
        path for path in sys.path if os.path.realpath(path or ".") != os.path.dirname(os.path.realpath(__file__))
    ]
    sys.exit(main(sys.argv[1:]))
