"""Test jobs for real: without a wall, and behind bubblewrap."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.supervisor.order import Order
from moonmind.adapters.verification import test_jobs
from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.errors import AgentError
from moonmind.ports.agent import JobState
from moonmind.ports.verification import TestJob
from moonmind.proof.verification.test_results import RunEnd
from moonmind.runs import naming
from moonmind.settings import ambient_environment
from tests.support.stage_world import INSTALLATION
from tests.support.verification_room import Room, printed, unwalled, write
from tests.support.waiting import until

JUNIT = '<testsuite><testcase classname="a" name="b"/></testsuite>'


@pytest.fixture(params=["none", "bubblewrap"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, request.param)
    yield made
    made.jobs.stop(made.run)


@pytest.mark.parametrize(
    ("run", "code"), [("true", 0), ("exit 3", 3), ("no-such-program-here", 127), ("false\ntrue", 1)]
)
def test_the_exit_code_is_that_of_the_command(room: Room, run: str, code: int) -> None:
    found = room.ended(run)
    assert (found.end, found.exit_code) == (RunEnd.EXITED, code)


def test_it_runs_in_the_root_of_a_tree_with_files_put_over_it(room: Room) -> None:
    tree = {"back/a.txt": "old", "back/gone.txt": "x", "b.txt": "b"}
    found = room.ended(
        'cat a.txt ../b.txt new/c.txt; ls; test -z "$(find "$MOONMIND_REPORTS" -type f)"',
        tree,
        root="back",
        files={"back/a.txt": b"new ", "back/new/c.txt": b" c\n", "back/gone.txt": None, "back/not/there.txt": None},
    )
    assert found.exit_code == 0
    assert "new b c\n" in printed(found)
    assert "gone.txt" not in printed(found)
    assert "not" not in printed(found).splitlines()


def test_reports_are_read_from_their_folder_and_from_the_tree(room: Room) -> None:
    tree = {"sub/out/old.xml": "<brought/>", "sub/out/kept.txt": "x"}
    run = f"test ! -e out/old.xml; echo '{JUNIT}' >\"$MOONMIND_REPORTS/a.xml\"; echo '{JUNIT}' >out/b.xml; echo x >out/c.txt"
    found = room.ended(run, tree, root="sub", reports=("out/*.xml",))
    assert found.exit_code == 0, printed(found)
    assert [path for path, _ in found.reports] == ["a.xml", "out/b.xml"]
    assert found.reports[0][1].decode().strip() == JUNIT


def test_a_tree_without_the_root_is_not_run(room: Room) -> None:
    found = room.ended("echo ran", {"a": ""}, root="back")
    assert found.exit_code == 127
    assert "ran\n" not in printed(found)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(room: Room) -> None:
    found = room.ended("echo begun; setsid sleep 300 & sleep 300", seconds=1.0)
    assert found.end is RunEnd.TIMED_OUT
    assert "begun" in printed(found)


@pytest.mark.parametrize("end", ["kill -9 $$", "kill -TERM $$"])
def test_a_command_that_is_killed_is_no_failed_test(room: Room, end: str) -> None:
    found = room.ended(end)
    assert found.end in (RunEnd.STOPPED, RunEnd.EXITED)
    assert found.exit_code not in (0, 1)


def test_a_log_that_cannot_be_written_is_the_hosts_fault(room: Room) -> None:
    def check_out(folder: Path) -> None:
        folder.mkdir()
        (folder.parent / "log.txt").symlink_to("/dev/full")

    key = naming.test_key(room.run, 1, "log")
    assert room.jobs.start(TestJob(key, check_out, "exec seq 100000000", 60.0)) is None
    until(lambda: room.jobs.state(key) is not JobState.RUNNING, "the end of the job")
    found = room.jobs.result(key)
    assert found is not None
    assert (found.end, found.message) == (
        RunEnd.HOST,
        "the test command's log could not be written: No space left on device",
    )


def test_a_job_whose_supervisor_hangs_is_ended_and_says_nothing_of_the_tests(room: Room) -> None:
    key = room.start("sleep 100", seconds=2.0)
    handle = json.loads((room.state / "jobs" / key / "handle.json").read_bytes())
    os.kill(handle["pid"], signal.SIGSTOP)
    until(lambda: room.jobs.state(key) is JobState.ENDED, "the limit", 30)
    found = room.jobs.result(key)
    assert found is None or found.end is RunEnd.HOST
    assert room.processes() == []


def test_files_are_out_of_sight_before_they_are_removed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    key = room.start("true")
    until(lambda: room.jobs.state(key) is JobState.ENDED, "the end of the job")
    seen: list[str] = []

    def killed(place: Path) -> None:
        if place.is_dir():
            seen.append(place.name)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(test_jobs, "remove_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            room.jobs.stop(room.run)
    assert seen == [".verify-1-after-1.removed"]
    assert room.jobs.result(key) is None
    room.nothing_is_left()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("env/key-1", "the build"),
        (f"{UUID(int=1)}/verify-1-a", "the test command"),
        (f"{UUID(int=1)}/submit-1", "the agent"),
    ],
)
def test_what_cannot_be_started_is_called_by_its_name(tmp_path: Path, key: str, words: str) -> None:
    jobs = Jobs(tmp_path, INSTALLATION, ambient_environment())
    jobs.folder(key).make()
    order = Order(str(jobs.folder(key).path), ("/no/such/program",), {}, "/", "", str(tmp_path / "log"), 9.0, 9.0, 9)
    with pytest.raises(AgentError, match=f"^{words} could not be started: "):
        jobs.start(key, order)


def test_nobody_wrote_to_its_home_before(room: Room) -> None:
    assert room.ended("touch ~/x; mkdir ~/.config").exit_code == 0
    found = room.ended("ls -A ~; echo $HOME")
    assert ".config" not in printed(found)


def test_what_follows_a_link_stays_in_the_tree(room: Room, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    def check_out(folder: Path) -> None:
        folder.mkdir()
        (folder / "link").symlink_to(outside)
        (folder / "file").symlink_to(outside / "target")
        (folder / "out").symlink_to(outside)

    key = naming.test_key(room.run, 1, "links")
    (outside / "r.xml").write_text("x")
    files = {"link/a.txt": b"a", "file": b"f"}
    job = TestJob(key, check_out, "cat link/a.txt file", 60.0, files=files, reports=("out/*.xml",))
    assert room.jobs.start(job) is None
    until(lambda: room.jobs.state(key) is not JobState.RUNNING, "the end of the job")
    found = room.jobs.result(key)
    assert found is not None
    assert found.exit_code == 0, printed(found)
    assert found.reports == ()
    assert sorted(os.listdir(outside)) == ["r.xml"]


@pytest.mark.parametrize(
    ("root", "swap"),
    [
        ("sub", "cd ..; rm -r sub; ln -s {outside} sub"),
        ("a/b", "cd ../..; rm -r a/b; ln -s {outside} a/b"),
        ("a/b", "cd ../..; rm -r a; ln -s {above} a"),
    ],
)
def test_a_job_that_puts_a_link_in_its_roots_place_shows_no_file_of_the_host(
    room: Room, tmp_path: Path, root: str, swap: str
) -> None:
    outside = tmp_path / "outside" / "b"
    outside.mkdir(parents=True)
    (outside / "r.xml").write_text(JUNIT)
    run = swap.format(outside=outside, above=outside.parent)
    found = room.ended(run, {f"{root}/x.txt": "x"}, root=root, reports=("*.xml",))
    assert found.exit_code == 0, printed(found)
    assert found.reports == ()


@pytest.mark.parametrize(("mode", "code"), [(0o755, 0), (0o700, 0), (0o644, 126)])
def test_what_is_put_over_a_program_can_be_run_as_that_could(room: Room, mode: int, code: int) -> None:
    def check_out(folder: Path) -> None:
        folder.mkdir()
        (folder / "tool").write_text("old")
        (folder / "tool").chmod(mode)

    key = naming.test_key(room.run, 1, f"mode-{mode}")
    assert room.jobs.start(TestJob(key, check_out, "./tool", 60.0, files={"tool": b"#!/bin/sh\ntrue\n"})) is None
    until(lambda: room.jobs.state(key) is not JobState.RUNNING, "the end of the job")
    found = room.jobs.result(key)
    assert found is not None
    assert found.exit_code == code, printed(found)


def test_what_the_change_lets_be_run_can_be_run_where_it_was_not_there(room: Room) -> None:
    tool = b"#!/bin/sh\ntrue\n"
    files = {"tests/run.sh": tool, "tests/data.sh": tool, "old.sh": tool}
    found = room.ended(
        "test -x tests/run.sh && test ! -x tests/data.sh && test -x old.sh && ./tests/run.sh",
        {"old.sh": "old"},
        files=files,
        executable=frozenset({"tests/run.sh", "old.sh"}),
    )
    assert found.exit_code == 0, printed(found)


def test_other_programs_have_another_foundation(tmp_path: Path) -> None:
    jobs = Room(tmp_path, "none").jobs
    first = jobs.foundation(None)
    assert jobs.foundation(None) == first
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    options = replace(jobs._options, environment={"PATH": f"{tmp_path / 'bin'}:/usr/bin"})
    assert SupervisedTestJobs(options, jobs._store, jobs._sandbox).foundation(None) != first


def test_a_report_that_is_no_file_or_too_large_is_left_out_and_said(room: Room) -> None:
    run = (
        'cd "$MOONMIND_REPORTS"; mkfifo a.xml; ln -s /etc/passwd b.xml; head -c 9000000 /dev/zero >c.xml; '
        "mkdir -p $(printf 'd/%.0s' $(seq 1 40)); echo x >$(printf 'd/%.0s' $(seq 1 40))e.xml; echo y >f.xml"
    )
    found = room.ended(run)
    assert [path for path, _ in found.reports] == ["f.xml"]
    assert len(found.notes) == 3


def test_a_job_is_started_once(room: Room) -> None:
    key = room.start("echo once; sleep 1")
    assert room.jobs.start(TestJob(key, partial(write, {}), "echo twice", 60.0)) is None
    until(lambda: room.jobs.state(key) is not JobState.RUNNING, "the end of the job")
    found = room.jobs.result(key)
    assert found is not None
    assert printed(found).split() == ["once"]


def test_so_many_jobs_run_at_once(room: Room) -> None:
    first, second = room.start("sleep 100"), room.start("sleep 100")
    job = TestJob(naming.test_key(room.run, 1, "third"), partial(write, {}), "true", 60.0)
    assert room.jobs.start(job) in (first, second)
    assert room.jobs.state(job.key) is JobState.ABSENT
    room.jobs.stop(room.run)
    assert room.jobs.start(job) is None


def test_stopping_ends_and_removes_all_jobs_of_a_run(room: Room) -> None:
    keys = [room.start("sleep 100"), room.start("true")]
    room.jobs.stop(room.run)
    assert [room.jobs.state(key) for key in keys] == [JobState.ENDED] * 2
    assert not list((room.state / "homes" / str(room.run) / "tests").iterdir())
    room.jobs.stop(UUID(int=1))


def test_without_a_wall_nothing_is_run_unless_that_is_wanted(tmp_path: Path) -> None:
    options = TestJobOptions(tmp_path, INSTALLATION, ambient_environment())
    jobs = SupervisedTestJobs(options, EnvironmentStore(tmp_path / "environments", 1), unwalled(tmp_path))
    assert "behind a wall only" in str(jobs.why_not())


def test_results_are_remembered_for_later_runs(room: Room) -> None:
    name = "ab" * 32
    assert room.jobs.recall(name) is None
    room.jobs.remember(name, b"x")
    room.jobs.sweep()
    assert room.jobs.recall(name) == b"x"
    os.utime(room.state / "test-results" / name[:2] / name[2:], (1, 1))
    room.jobs.sweep()
    assert room.jobs.recall(name) is None
