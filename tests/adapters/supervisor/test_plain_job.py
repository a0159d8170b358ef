"""Commands that print text, as builds do: what is logged, and how they end."""

from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.jobs.job_results import read_result
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.order import Space
from moonmind.ports.agent import JobEnd, JobResult
from tests.adapters.supervisor.test_job import SECRET, Bench
from tests.adapters.supervisor.test_job_behind_a_wall import ENVIRONMENT
from tests.support.plain_wall import require_walls, walled
from tests.support.waiting import until


def sh(bench: Bench, script: str, **changes: Any) -> dict[str, Any]:
    return bench.run("", argv=("/bin/sh", "-c", script), plain=True, **changes)


def log(bench: Bench) -> bytes:
    return (bench.root / "log.jsonl").read_bytes()


def test_both_kinds_of_output_are_logged_in_their_order_and_masked(bench: Bench) -> None:
    script = f"for n in 1 2 3; do echo out $n; echo err $n >&2; done; echo; echo ' {SECRET}'; printf 'no end'"
    result = sh(bench, script)
    lines = [b"%s %d" % (kind, n) for n in (1, 2, 3) for kind in (b"out", b"err")]
    assert log(bench).split(b"\n") == [*lines, b"", b" [redacted]", b"no end", b""]
    assert read_result(result) == JobResult(JobEnd.COMPLETED, exit_code=0)
    assert bench.folder.stderr.read_bytes() == b""


def test_lines_are_logged_as_they_come(bench: Bench) -> None:
    script = "echo first; while ! [ -e go ]; do sleep 0.02; done; echo second"
    bench.start("", argv=("/bin/sh", "-c", script), plain=True)
    until(lambda: log(bench) == b"first\n", "the first line")
    (bench.root / "go").touch()
    bench.result()
    assert log(bench) == b"first\nsecond\n"


def test_a_bar_of_progress_leaves_its_last_state(bench: Bench) -> None:
    sh(bench, r"printf '0%%\r50%%\r' >&2; printf '100%%\r\n'; echo done")
    assert log(bench) == b"100%\ndone\n"


def test_a_bar_that_grows_is_life(bench: Bench) -> None:
    sh(bench, "for n in 1 2 3 4 5 6; do printf .; sleep 0.3; done", stall_seconds=1.5)
    assert log(bench) == b"......\n"


def test_a_command_that_fails_is_explained_by_its_last_lines(bench: Bench) -> None:
    read = read_result(sh(bench, f"echo no match for {SECRET}; echo status 401 >&2; exit 4"))
    assert (read.end, read.exit_code) == (JobEnd.FAILED, 4)
    assert read.message == "no match for [redacted]\nstatus 401"


@pytest.mark.parametrize(
    ("script", "changes", "end", "words"),
    [
        ("echo on it; exec sleep 60", {"stall_seconds": 0.5}, JobEnd.STALLED, "the build was silent"),
        ("echo on it; exec sleep 60", {"total_seconds": 0.5}, JobEnd.TIMED_OUT, "the build reached"),
        (f"echo on it; exec yes {'x' * 1000}", {"output_bytes": 1 << 20}, JobEnd.FAILED, "the build wrote more output"),
        ("echo on it; kill -SEGV $$", {}, JobEnd.FAILED, "the build was killed by SIGSEGV"),
        ("echo on it; exec sleep 60", {"log_path": "/dev/full"}, JobEnd.FAILED, "log could not be written: No space"),
    ],
)
def test_limits_end_it_as_they_end_agents(
    bench: Bench, script: str, changes: dict[str, Any], end: JobEnd, words: str
) -> None:
    read = read_result(sh(bench, script, **changes))
    assert read.end is end
    assert words in read.message
    assert "on it" in read.message or "yes" in script


@pytest.mark.parametrize(
    ("most", "free", "words"),
    [
        (1 << 20, 0, "what it wrote takes more than 1 MiB"),
        (1 << 40, 1 << 60, "its disk has less than"),
    ],
)
def test_a_build_that_takes_too_much_of_the_disk_is_ended(bench: Bench, most: int, free: int, words: str) -> None:
    place = bench.root / "written"
    place.mkdir()
    script = f"echo on it; head -c 3000000 /dev/urandom > {place}/file; exec sleep 60"
    read = read_result(sh(bench, script, space=Space((str(place),), most, free, "SIZE", 0.05)))
    assert read.end is JobEnd.FAILED
    assert read.message.startswith(f"the build was ended, since there is no room for more: {words}")
    assert read.message.endswith("; it said last:\non it")


def test_a_build_that_stays_within_its_room_is_left_alone(bench: Bench) -> None:
    place = bench.root / "written"
    place.mkdir()
    script = f"head -c 3000000 /dev/urandom > {place}/file; sleep 1"
    read = read_result(sh(bench, script, space=Space((str(place),), 1 << 30, 1, "SIZE", 0.05)))
    assert read.end is JobEnd.COMPLETED


def test_a_line_without_end_is_cut(bench: Bench) -> None:
    sh(bench, "head -c 70000 /dev/zero | tr '\\0' x; echo; echo end")
    assert log(bench) == b"x" * 65536 + b" [4464 more bytes were left out]\nend\n"


@pytest.mark.parametrize("wall", [("/bin/sh", "-c", "echo no namespaces here >&2; exit 1"), ("/bin/true",)])
def test_a_wall_that_cannot_be_built_is_no_end_of_the_build(bench: Bench, wall: tuple[str, ...]) -> None:
    read = read_result(bench.run("", argv=wall, walled=True, plain=True, environment=ENVIRONMENT))
    assert read.end is JobEnd.SANDBOX
    assert read.message.startswith("the sandbox could not be built")
    assert ("no namespaces here" in read.message) is (len(wall) > 1)


def test_a_text_behind_a_wall_keeps_its_order_and_its_end(bench: Bench) -> None:
    require_walls()
    script = "for n in 1 2 3; do echo out $n; echo err $n >&2; done; exit 5"
    command = walled(bench.folder, ("/bin/sh", "-c", script))
    read = read_result(bench.run("", argv=command, walled=True, plain=True, environment=ENVIRONMENT))
    assert (read.end, read.exit_code) == (JobEnd.FAILED, 5)
    assert log(bench).splitlines() == [b"%s %d" % (kind, n) for n in (1, 2, 3) for kind in (b"out", b"err")]


def test_it_does_not_outlive_its_supervisor(bench: Bench, tmp_path: Path) -> None:
    bench.start("", argv=("/bin/sh", "-c", "echo ready; sleep 60 & wait"), plain=True)
    until(lambda: log(bench) == b"ready\n", "the command")
    supervisor = kernel.Process(bench.handle["pid"], bench.handle["started"])
    supervisor.signal(9)
    until(lambda: not kernel.marked("MARK", tmp_path.name), "the end of all processes")
    assert not bench.folder.result.exists()
