"""Test commands that fork, hang, fill the disk or print without end: each ends within its bound, and nothing of it is left."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moonmind.ports.verification import TestJobResult
from moonmind.proof.verification.test_results import RunEnd
from tests.support.marker_counts import MACHINE
from tests.support.plain_wall import require_walls
from tests.support.verification_room import Room, printed

FULL = pytest.mark.full
WALLS = ["bubblewrap", pytest.param("none", marks=FULL), pytest.param("docker", marks=[pytest.mark.docker, FULL])]
PROCESSES = 100
SPACE = 64 << 20
OUTPUT = 4 << 20
BOUND = 30.0
"""Seconds within which a job has to end that is given one or two, on a busy machine."""
BOMB = """python3 -c '
import contextlib, os, time
for _ in range(9):
    os.fork()
    with contextlib.suppress(OSError):
        os.setsid()
time.sleep(300)
'"""
"""512 processes at most, in sessions of their own."""


@pytest.fixture(params=WALLS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Room]]:
    if request.param == "bubblewrap":
        require_walls()
    engine = request.getfixturevalue("docker_engine") if request.param == "docker" else None
    with contextlib.ExitStack() as ends:

        def made(**options: Any) -> Room:
            room = Room(tmp_path, request.param, engine, **options)
            ends.callback(room.jobs.stop, room.run)
            return room

        yield made


def within(room: Room, run: str, *, bound: float = BOUND, **more: Any) -> TestJobResult:
    """Return what became of a job that ends within a bound; nothing of it is left then."""
    began = time.monotonic()
    found = room.ended(run, **more)
    assert time.monotonic() - began < bound
    assert room.processes() == []
    return found


def test_a_fork_bomb_ends_at_the_limit_of_processes(make: Callable[..., Room]) -> None:
    room = make(processes=PROCESSES)
    found = within(room, BOMB, seconds=15.0)
    if (
        room.engine is not None
    ):  # the engine holds it to the limit: what goes beyond it fails, and the rest ends in time
        assert (found.end, found.exit_code) in {(RunEnd.EXITED, 1), (RunEnd.TIMED_OUT, None)}
        assert "BlockingIOError" in printed(found)
    else:
        assert found.end is RunEnd.STOPPED
        assert "more than 100 at a time (MOONMIND_SANDBOX_PROCESSES)" in found.message
    room.nothing_is_left()


def test_what_a_test_leaves_running_ends_with_it(make: Callable[..., Room]) -> None:
    room = make()
    found = within(
        room, "for n in 1 2 3; do setsid sh -c 'trap : TERM INT HUP; sleep 300' >/dev/null 2>&1 & done; sleep 0.2"
    )
    assert (found.end, found.exit_code) == (RunEnd.EXITED, 0)
    room.nothing_is_left()


@FULL
def test_a_hang_that_hears_no_signal_ends_at_its_limit(make: Callable[..., Room]) -> None:
    room = make()
    found = within(room, "trap '' INT TERM HUP; echo begun; sleep 300", seconds=1.0)
    assert found.end is RunEnd.TIMED_OUT
    assert printed(found) == "begun\n"
    room.nothing_is_left()


@pytest.mark.parametrize(
    "place", [".", pytest.param("$HOME", marks=FULL), pytest.param("$MOONMIND_REPORTS", marks=FULL)]
)
def test_a_test_that_fills_the_disk_ends_at_its_limit(make: Callable[..., Room], place: str) -> None:
    room = make(space=SPACE)
    found = within(room, f'cd "{place}"; mkdir -p a/b; head -c 200000000 /dev/zero >a/b/large; sleep 300')
    assert found.end is RunEnd.STOPPED
    assert found.message == (
        "the test command was ended, since there is no room for more: what it wrote takes more than 64 MiB; let the tests write "
        "less, or have an operator raise MOONMIND_VERIFICATION_SPACE"
    )
    room.nothing_is_left()


def test_a_large_checkout_takes_no_room_of_its_tests(make: Callable[..., Room]) -> None:
    room = make(space=SPACE)
    found = within(room, "sleep 3", tree={"large": "x" * (SPACE + 1)})
    assert (found.end, found.exit_code) == (RunEnd.EXITED, 0)


def test_output_without_end_is_cut_off(make: Callable[..., Room]) -> None:
    room = make(output_bytes=OUTPUT)
    found = within(room, "tr '\\0' x </dev/zero")
    assert found.end is RunEnd.STOPPED
    assert found.message == "the test command wrote more output than the limit allows"
    assert found.log is not None
    assert found.log.stat().st_size < 2 * OUTPUT
    room.nothing_is_left()


@pytest.mark.parametrize(
    "wrote", ["dd if=/dev/null bs=1 seek=1G of=", pytest.param("dd if=/dev/zero bs=1M count=1024 of=", marks=FULL)]
)
def test_a_report_of_a_gigabyte_is_left_out_and_said(make: Callable[..., Room], wrote: str) -> None:
    room = make()
    found = within(room, f'{wrote}"$MOONMIND_REPORTS/a.xml"', bound=60.0)
    assert (found.end, found.exit_code, found.reports) == (RunEnd.EXITED, 0, ())
    assert found.notes == ("the report a.xml is not read: it is too large",)
    room.nothing_is_left()


@pytest.mark.timeout(700)
@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=FULL), pytest.param(1_000_000, marks=FULL)])
def test_files_without_number_are_passed_over_and_removed(make: Callable[..., Room], count: int) -> None:
    room = make()
    run = f"mkdir out; cd out; seq 1 {count} | sed 's/$/.xml/' | xargs touch"
    found = within(room, run, bound=400.0, reports=("out/*.xml",), seconds=380.0)
    assert (found.end, found.exit_code) == (RunEnd.EXITED, 0)
    assert found.notes == ("more than 200 reports; the rest is not read",)
    began = time.monotonic()
    room.nothing_is_left()
    assert time.monotonic() - began < 200.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=620m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(f"{MACHINE}nothing can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_fills_up_is_nobodys_fault(small_disk: Path) -> None:
    room = Room(small_disk, "none")
    # Nothing that is counted: the file has no name any more.
    hidden = "exec 3>hidden; rm hidden; head -c 300000000 /dev/zero >&3; sleep 300"
    found = within(room, hidden)
    assert found.end is RunEnd.HOST
    assert "its disk has less than 512 MiB left; free some space on this host" in found.message
    room.nothing_is_left()
