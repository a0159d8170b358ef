import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PASSING = "".join(
    f"@pytest.mark.{kind}\ndef test_{kind}(): pass\n"
    for kind in ("sqlite", "postgres", "rabbitmq", "codex_real", "github_emulator", "docker")
)
MARKERS = "[pytest]\nmarkers =\n  sqlite: s\n  postgres: p\n  rabbitmq: r\n  codex_real: c\n  github_emulator: g\n  docker: d\n"


def run(
    folder: Path, tests: str, *options: str, ci: str | None = None, file: str = "test_it.py"
) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.marker_counts"]\n')
    (folder / file).write_text("import pytest\n" + tests)
    path = os.environ["PATH"]  # noqa: TID251 - the child's environment is made from nothing else
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if ci:
        environment["CI"] = ci
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *options, file]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_each_kind_is_counted_by_outcome_above_pytests_own_last_line(tmp_path: Path) -> None:
    tests = PASSING + (
        "@pytest.mark.sqlite\ndef test_bad(): assert False\n"
        "@pytest.mark.postgres\n@pytest.mark.sqlite\ndef test_skip(): pytest.skip('no server')\n"
        "@pytest.fixture\ndef broken():\n    yield\n    raise OSError\n"
        "@pytest.mark.rabbitmq\ndef test_teardown(broken): pass\n"
        "def test_unmarked(): pass\n"
    )
    result = run(tmp_path, tests)
    lines = result.stdout.splitlines()
    assert lines[-7:-1] == [
        "sqlite          1 passed, 1 failed, 1 skipped",
        "postgres        1 passed, 0 failed, 1 skipped",
        "rabbitmq        1 passed, 1 failed, 0 skipped",
        "codex_real      1 passed, 0 failed, 0 skipped",
        "github_emulator 1 passed, 0 failed, 0 skipped",
        "docker          1 passed, 0 failed, 0 skipped",
    ]
    assert lines[-1].startswith("=")
    assert "1 failed, 8 passed, 1 skipped, 1 error" in lines[-1]
    assert result.returncode == 1


def test_ci_fails_when_no_test_of_a_kind_passed(tmp_path: Path) -> None:
    tests = PASSING.replace("def test_postgres(): pass", "def test_postgres(): pytest.skip('no server')")
    result = run(tmp_path, tests, ci="true")
    assert result.returncode == 1
    assert "CI=true, and no test passed of: postgres\n" in result.stdout
    assert "5 passed, 1 skipped" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["one process", "several"])
def test_ci_fails_when_a_test_is_skipped_for_want_of_a_program(tmp_path: Path, options: tuple[str, ...]) -> None:
    tests = (
        "def test_more(): pytest.skip('there is no nginx')\n"
        "@pytest.mark.skipif(True, reason='no tmux is installed')\ndef test_marked(): pass\n"
        "@pytest.fixture\ndef web(): pytest.skip('no way to squid')\ndef test_fixture(web): pass\n"
    )
    result = run(tmp_path, PASSING + tests, *options, ci="true")
    assert result.returncode == 1, result.stdout
    assert result.stdout.count("CI=true, and skipped: ") == 3
    assert "CI=true, and skipped: test_it.py::test_more: Skipped: there is no nginx\n" in result.stdout


@pytest.mark.parametrize(
    "test",
    [
        "def test_more(): pytest.skip('machine: one processor')",
        "@pytest.mark.skipif(True, reason='machine: no other user')\ndef test_more(): pass",
        "@pytest.mark.xfail(reason='known')\ndef test_more(): assert False",
    ],
)
def test_ci_passes_over_what_no_program_can_bring(tmp_path: Path, test: str) -> None:
    result = run(tmp_path, PASSING + test, ci="true")
    assert result.returncode == 0, result.stdout


def test_ci_passes_when_every_kind_ran(tmp_path: Path) -> None:
    result = run(tmp_path, PASSING, ci="true")
    assert result.returncode == 0, result.stdout


def test_a_run_that_collects_nothing_fails_in_ci(tmp_path: Path) -> None:
    assert run(tmp_path, "", ci="true").returncode == 1


@pytest.mark.parametrize("ci", [None, "false"])
def test_a_missing_kind_fails_nowhere_but_in_ci(tmp_path: Path, ci: str | None) -> None:
    result = run(tmp_path, "def test_one(): pass\n", ci=ci)
    assert result.returncode == 0, result.stdout
    assert "sqlite          0 passed, 0 failed, 0 skipped\n" in result.stdout


def test_a_name_that_sounds_like_a_kind_is_no_marker(tmp_path: Path) -> None:
    result = run(tmp_path, "def test_one(): pass\n", ci="true", file="test_sqlite.py")
    assert "sqlite          0 passed" in result.stdout
    assert result.returncode == 1


def test_tests_that_run_in_several_processes_are_counted_too(tmp_path: Path) -> None:
    result = run(tmp_path, PASSING, "-p", "xdist", "-n", "2", ci="true")
    assert result.returncode == 0, result.stdout
    assert "codex_real      1 passed, 0 failed, 0 skipped\n" in result.stdout
    missing = run(tmp_path, "def test_one(): pass\n", "-p", "xdist", "-n", "2", ci="true")
    assert missing.returncode == 1


def test_collecting_alone_neither_counts_nor_fails(tmp_path: Path) -> None:
    result = run(tmp_path, PASSING, "--collect-only", ci="true")
    assert result.returncode == 0
    assert "tests per marker" not in result.stdout
