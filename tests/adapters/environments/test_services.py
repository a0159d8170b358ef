"""What an environment starts, as real processes without a wall."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moonmind.adapters.environments import services_entry
from moonmind.adapters.environments.services import with_services
from moonmind.adapters.jobs.job_results import SERVICE_EXIT, SERVICE_SIGN, read_result
from moonmind.ports.agent import JobEnd
from tests.support.waiting import until

TERMS = {"seconds": 60.0, "sign": SERVICE_SIGN, "exit": SERVICE_EXIT}


def run(
    *starts: tuple[Path | str, str], command: tuple[str, ...] = ("cat",), **terms: object
) -> "subprocess.CompletedProcess[str]":
    """Start services and then a command, which is given a line to read."""
    whole = json.dumps({**TERMS, "starts": [(str(place), start) for place, start in starts], **terms})
    words = [sys.executable, "-I", "-S", services_entry.__file__, whole, *command]
    return subprocess.run(words, input="a line\n", capture_output=True, text=True, timeout=60, check=False)


def test_services_are_started_in_their_folders_and_then_the_command(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    done = run(*((place, "cat; pwd; touch here") for place in places))
    assert (done.returncode, done.stdout) == (0, "a line\n")
    assert done.stderr.splitlines() == [str(place) for place in places]
    assert all((place / "here").exists() for place in places)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("echo no database; exit 3", ""),
        ("false; true", ""),
        ("no-such-program-here", ""),
        ("kill -9 $$", ""),
        ("exec sleep 600", ", since it did not return within 1 seconds; let it return once the service is ready"),
        ("while :; do :; done", ", since it did not return within 1 seconds; let it return once the service is ready"),
        (
            "sleep 20 >/dev/null 2>&1 & wait",
            ", since it did not return within 1 seconds; let it return once the service is ready",
        ),
    ],
)
def test_one_that_fails_or_does_not_return_ends_the_job(tmp_path: Path, start: str, words: str) -> None:
    began = time.monotonic()
    done = run((tmp_path, "true"), (tmp_path, f"echo $$ > pid; {start}"), (tmp_path, "touch later"), seconds=1.0)
    assert time.monotonic() - began < 20
    assert (done.returncode, done.stdout) == (SERVICE_EXIT, "")
    assert done.stderr.splitlines()[-1] == f"{SERVICE_SIGN}{words}: echo $$ > pid; {start}"
    assert not (tmp_path / "later").exists()
    result = read_result({"v": 1, "end": "exited", "exit_code": done.returncode, "stderr": done.stderr})
    assert result.end is JobEnd.SERVICE


def test_all_of_them_have_the_time_together(tmp_path: Path) -> None:
    done = run(*[(tmp_path, "sleep 0.4; touch x")] * 20, seconds=1.0)
    assert done.returncode == SERVICE_EXIT
    assert "within 1 seconds" in done.stderr


def test_a_service_that_goes_on_is_not_ended(tmp_path: Path) -> None:
    go = tmp_path / "go"
    start = f"(while [ ! -e {go} ]; do sleep 0.02; done; touch {tmp_path}/done) >/dev/null 2>&1 &"
    done = run((tmp_path, start), seconds=5.0)
    assert (done.returncode, done.stdout) == (0, "a line\n")
    go.touch()
    until((tmp_path / "done").exists, "the service's work")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run((tmp_path / "gone", "true"))
    assert done.returncode == SERVICE_EXIT
    assert done.stderr == f"{SERVICE_SIGN} (No such file or directory): true\n"


def test_the_command_has_the_signals_that_a_program_expects(tmp_path: Path) -> None:
    ignored = "grep SigIgn /proc/self/status"
    done = run((tmp_path, ignored), command=("sh", "-c", ignored))
    assert done.stdout == done.stderr == "SigIgn:\t0000000000000000\n"


def test_a_command_without_services_stays_as_it_is() -> None:
    assert with_services((), ("codex", "exec")) == ("codex", "exec")
