"""The demo as a user calls it: a process of its own, real git, a real server."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from moonmind.runtime import server_file
from moonmind.settings import ambient_environment
from tests.support.processes import each_process

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "work").mkdir()
    return ambient_environment() | {
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TMPDIR": str(tmp_path / "tmp"),  # state is refused below the temporary folder, where pytest puts us
    }


def start(work: Path, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "moonmind.demo.demo", *arguments],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def succeeded(work: Path, environment: dict[str, str]) -> dict[str, Any]:
    demo = start(work, environment, "--json")
    out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, err
    assert server_file.find(work / "var/demo") is None
    (line,) = out.splitlines()
    run: dict[str, Any] = json.loads(line)
    return run


def servers_in(folder: Path) -> list[str]:
    """List the processes whose working directory is the demo's folder: the child, and nothing else."""
    found = []
    for process in each_process():
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped_at_work_leaves_nothing_running(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    work = tmp_path / "work"
    demo = start(work, environment)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "the agent is running" in line:
            break
    assert _players(tmp_path) != []
    demo.send_signal(number)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == code, err
    assert servers_in(work / "var/demo") == []
    deadline = time.monotonic() + 10
    while players := _players(tmp_path):
        assert time.monotonic() < deadline, players
        time.sleep(0.1)


def test_a_demo_goes_on_with_the_run_of_one_that_was_killed(tmp_path: Path, environment: dict[str, str]) -> None:
    work = tmp_path / "work"
    demo = start(work, environment)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "the agent is running" in line:
            break
    demo.kill()
    demo.communicate()
    assert servers_in(work / "var/demo") != []
    run = succeeded(work, environment)
    assert run["status"] == "succeeded"
    assert servers_in(work / "var/demo") == []


def _players(home: Path) -> list[str]:
    """List the processes that name this test's folder in their arguments."""
    found = []
    for process in each_process():
        try:
            words = (process / "cmdline").read_text()
        except OSError:
            continue
        if str(home / "state") in words:
            found.append(words.replace("\0", " "))
    return found
