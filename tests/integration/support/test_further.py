import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARAMETER = """
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.full), 3])
def test_more(n): pass
"""
SPREAD = """
@pytest.mark.in_every_run(3)
@pytest.mark.parametrize("n", range(10))
def test_some(n): assert n in {0, 3, 6}
"""
FEW = """
@pytest.mark.in_every_run(3)
@pytest.mark.parametrize("n", [1, 2, pytest.param(3, marks=pytest.mark.full)])
def test_some(n): pass
"""
TEST = """
def test_one(): pass
@pytest.mark.full
def test_more(): pass
"""
FILE = """
pytestmark = pytest.mark.full
@pytest.mark.parametrize("n", range(1203))
def test_more(n): pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  full: f\n  in_every_run(n): i\n")
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.further"]\n')
    (folder / "test_always.py").write_text("def test_always(): pass\n")
    path = os.environ["PATH"]  # noqa: TID251 - the child's environment is made from nothing else
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("tests", "options", "said"),
    [
        (PARAMETER, (), "1 further case runs"),
        (TEST, (), "1 further case runs"),
        (SPREAD, (), "7 further cases run"),
        (FEW, (), "1 further case runs"),
        (FILE, (), "1,203 further cases run"),
        (FILE, ("-p", "xdist", "-n", "2"), "1,203 further cases run"),
    ],
    ids=["a parameter", "a test", "spread", "few", "a file", "several processes"],
)
def test_what_is_marked_is_left_out_and_counted(
    tmp_path: Path, tests: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\n" + tests)
    result = run(tmp_path, *options)
    assert result.returncode == 0, result.stdout
    assert f"\n{said} with script/test --full\n" in result.stdout
    assert "skipped" not in result.stdout


def test_full_runs_every_case(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\n" + PARAMETER)
    result = run(tmp_path, "--full")
    assert "4 passed" in result.stdout
    assert "deselected" not in result.stdout
    assert "further" not in result.stdout
