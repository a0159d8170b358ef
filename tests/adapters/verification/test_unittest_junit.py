"""The program that runs unittest with a report, with every Python of this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moonmind.adapters.verification import unittest_junit
from moonmind.proof.verification.junit_reading import read_reports
from moonmind.proof.verification.test_results import TestOutcome, TestReport

TESTS = {
    "tests/__init__.py": "",
    "tests/test_a.py": """
import unittest
class A(unittest.TestCase):
    def test_ok(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    def test_error(self): raise RuntimeError("x\\x00y")
    @unittest.skip("no")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number): self.assertNotEqual(number, 1)
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("class")
    def test_never(self): pass
""",
    "tests/test_b.py": "import nothing_of_that_name\n",
    "tests/test_c.py": "import unittest\nclass C(unittest.TestCase):\n    def test_c(self): pass\n",
    "empty/__init__.py": "",
}
PYTHONS = [sys.executable, *sorted(map(str, Path.home().glob(".pyenv/versions/3.*/bin/python")))]


def old_enough(python: str) -> bool:
    words = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info >= (3, 8))"], capture_output=True, text=True, check=True
    )
    return words.stdout.strip() == "True"


def run(folder: Path, *arguments: str, python: str = sys.executable) -> tuple[int, TestReport]:
    tree, reports = folder / "tree", folder / "reports"
    reports.mkdir(parents=True)
    for path, text in TESTS.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    done = subprocess.run(
        [python, unittest_junit.__file__, *arguments],
        cwd=tree,
        env={"MOONMIND_REPORTS": str(reports), "PATH": os.defpath},
        capture_output=True,
        check=False,
    )
    found = [(path.name, path.read_bytes()) for path in reports.iterdir()]
    return done.returncode, read_reports(found, ".", list(TESTS))


@pytest.mark.parametrize("python", [one for one in PYTHONS if old_enough(one)], ids=lambda path: path.split("/")[-3])
def test_every_outcome_is_reported_with_its_file(tmp_path: Path, python: str) -> None:
    code, report = run(tmp_path, python=python)
    assert code == 1
    assert report.unread == ()
    outcomes = {name.rpartition("::")[2]: case.outcome for name, case in report.cases.items()}
    assert outcomes["test_ok"] is outcomes["test_c"] is TestOutcome.PASSED
    assert outcomes["test_bad"] is outcomes["test_sub"] is outcomes["test_unexpected"] is TestOutcome.FAILED
    assert outcomes["test_error"] is TestOutcome.ERROR
    assert outcomes["test_skip"] is outcomes["test_expected"] is TestOutcome.SKIPPED
    assert {"tests/test_b.py", "tests/test_a.py::B::setUpClass"} <= set(report.cases)
    by_file = {case.file for case in report.cases.values()}
    assert {"tests/test_a.py", "tests/test_b.py", "tests/test_c.py"} <= by_file
    assert "1 != 2" in next(case.message for case in report.cases.values() if case.id.endswith("test_bad"))


@pytest.mark.parametrize(
    ("arguments", "code", "count"),
    [
        (("--only=tests/test_c.py",), 0, 1),
        (("--only=./tests/test_c.py", "--only=tests/test_b.py"), 1, 2),
        (("--only=tests/test_a.py", "discover", "-s", "tests", "-t", "."), 1, 8),
        (("--only=tests/nothing.py",), 5, 0),
        (("discover", "-s", "empty"), 5, 0),
        (("tests.test_c",), 0, 1),
        (("tests/test_c.py", "-v"), 0, 1),
        (("-k", "test_ok"), 1, 2),
    ],
)
def test_it_takes_what_unittest_takes_and_keeps_to_files(
    tmp_path: Path, arguments: tuple[str, ...], code: int, count: int
) -> None:
    found, report = run(tmp_path, *arguments)
    assert (found, len(report.cases)) == (code, count)
