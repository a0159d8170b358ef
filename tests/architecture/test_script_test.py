"""The switches of script/test, in a checkout whose programs note how they were called."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    *(
        "awk",
        "basename",
        "bash",
        "cat",
        "chmod",
        "cp",
        "curl",
        "date",
        "dirname",
        "env",
        "grep",
        "id",
        "mkdir",
        "nproc",
    ),
    *("sed", "sh", "shellcheck", "sort", "tail"),
)
"""What the script may find on PATH: nothing that installs, and no Python."""

PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >>"$NOTES"
if [ "$FAILING" = "${0##*/}" ]; then echo "what it found"; exit 1; fi
"""
SERVICES = """#!/bin/sh
echo services >>"$NOTES"
echo export MOONMIND_TEST_POSTGRES_URL=postgresql://here
"""
PYTHON = """#!/bin/sh
case "$1 $2" in
  -c*) echo "3.MINOR $0"; exit CODE ;;
  "-m venv") mkdir -p "$5/bin"; cp "$0" "$5/bin/python" ;;
  *)
    echo "3.MINOR $* CI=${CI-unset} POSTGRES=${MOONMIND_TEST_POSTGRES_URL-unset}" >>"$NOTES"
    echo "MINOR passed"
    test "$FAILING" != 3.MINOR ;;
esac
"""


class Checkout:
    """A checkout with the real script/test and stand-ins for what it calls."""

    def __init__(self, folder: Path) -> None:
        self.root, self.pyenv, self.path, self.notes = (
            folder / name for name in ("checkout", "pyenv", "path", "notes")
        )
        (self.root / "script").mkdir(parents=True)
        self.path.mkdir()
        for name in ("test", "lib.sh"):
            shutil.copy(ROOT / "script" / name, self.root / "script" / name)
        for program in PROGRAMS:
            if found := shutil.which(program):
                (self.path / program).symlink_to(found)
        for place in ("script/bootstrap", ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"):
            self._put(self.root / place, PROGRAM)
        self._put(self.root / "script/poetry", PROGRAM.replace("$*", "$* in ${VIRTUAL_ENV##*/}"))
        self._put(self.root / "script/services", SERVICES)
        self._python(self.root / ".venv/bin/python", 11)

    def has_python(self, minor: int, *, code: int = 0) -> None:
        """Put a Python among those of pyenv; one with another code than 0 is too old or does not start."""
        self._python(self.pyenv / f"versions/3.{minor}.1/bin/python3.{minor}", minor, code)

    def run(self, *arguments: str, failing: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.path),
            "NOTES": str(self.notes),
            "FAILING": failing,
            "PYENV_ROOT": str(self.pyenv),
            "LANG": "C",
            "CI": "true",
        }
        command = [str(self.root / "script/test"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def called(self, program: str) -> list[str]:
        return [line for line in self.notes.read_text().splitlines() if line.startswith(program)]

    def _python(self, path: Path, minor: int, code: int = 0) -> None:
        self._put(path, PYTHON.replace("MINOR", str(minor)).replace("CODE", str(code)))

    @staticmethod
    def _put(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_every_check_and_every_test_runs_beside_the_servers(checkout: Checkout) -> None:
    result = checkout.run("-x")
    assert result.returncode == 0, result.stdout + result.stderr
    assert sorted(checkout.called("ruff")) == ["ruff check .", "ruff format --check ."]
    assert checkout.called("mypy")
    assert checkout.called("lint-imports")
    (tests,) = checkout.called("3.11")
    assert tests.endswith(" -x CI=true POSTGRES=postgresql://here")


def test_fast_runs_every_check_and_the_tests_that_need_no_server(checkout: Checkout) -> None:
    result = checkout.run("--fast", "-x")
    assert result.returncode == 0, result.stdout + result.stderr
    assert checkout.called("services") == []
    assert len(checkout.called("ruff") + checkout.called("mypy") + checkout.called("lint-imports")) == 4
    (tests,) = checkout.called("3.11")
    assert tests.endswith(" tests/architecture tests/unit -x CI=unset POSTGRES=unset")


@pytest.mark.parametrize(
    ("failing", "label"),
    [("ruff", "Lint"), ("mypy", "Types"), ("lint-imports", "Import rules"), ("3.11", "Tests")],
)
@pytest.mark.parametrize("switch", [(), ("--fast",)])
def test_a_check_that_fails_is_named_shown_and_stops_no_other(
    checkout: Checkout, switch: tuple[str, ...], failing: str, label: str
) -> None:
    result = checkout.run(*switch, failing=failing)
    assert result.returncode == 1
    assert f"FAILED {label}" in result.stderr
    assert ("    what it found" in result.stdout) == (failing != "3.11")
    assert len(checkout.called("3.11")) == 1
    assert checkout.called("mypy")


def test_full_runs_the_unit_tests_on_every_other_python(checkout: Checkout) -> None:
    for minor in (11, 12, 13):
        checkout.has_python(minor)
    checkout.has_python(10, code=1)
    result = checkout.run("--full")
    assert result.returncode == 0, result.stdout + result.stderr
    first, *others = checkout.called("3.")
    assert first.endswith(" --full CI=true POSTGRES=postgresql://here")
    assert [other.split()[0] for other in others] == ["3.12", "3.13"]
    assert all(" tests/unit CI=unset" in other for other in others)
    assert [call.rpartition(" in ")[2] for call in checkout.called("poetry")] == [".venv-3.12", ".venv-3.13"]
    assert "Unit tests on Python 3.12\n    12 passed\n" in result.stdout
    assert "Unit tests on Python 3.13\n    13 passed\n" in result.stdout


def test_a_python_on_which_unit_tests_fail_is_named_and_the_next_is_tried(checkout: Checkout) -> None:
    for minor in (12, 13):
        checkout.has_python(minor)
    result = checkout.run("--full", failing="3.12")
    assert result.returncode == 1
    assert "FAILED Unit tests on Python 3.12" in result.stderr
    assert "13 passed" in result.stdout


def test_a_selection_of_tests_runs_on_one_python(checkout: Checkout) -> None:
    checkout.has_python(12)
    assert checkout.run("--full", "tests/unit").returncode == 0
    assert checkout.called("3.12") == []


@pytest.mark.parametrize("arguments", [("--fast", "--full"), ("--full", "--fast")])
def test_fast_and_full_together_are_refused(checkout: Checkout, arguments: tuple[str, ...]) -> None:
    result = checkout.run(*arguments)
    assert result.returncode == 2
    assert "script/test --fast" in result.stdout
    assert not checkout.notes.exists()


def test_every_folder_with_tests_is_run() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    there = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("test_*.py")} - {"fixtures"}
    assert sorted(named) == sorted(f"tests/{folder}" for folder in there)
