"""Test jobs for real: without a wall, and behind bubblewrap."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.ports.agent import JobState
from moonmind.ports.sandbox import SandboxKind
from moonmind.ports.verification import TestJob, TestJobResult
from moonmind.proof.verification.test_results import RunEnd
from moonmind.runs import naming
from moonmind.settings import ambient_environment
from tests.support.environment_world import believed
from tests.support.stage_world import INSTALLATION
from tests.support.waiting import until
from tests.support.walled_agents import Believed

JUNIT = '<testsuite><testcase classname="a" name="b"/></testsuite>'


class Room:
    """The test jobs of one host, and what was started there."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.state = folder / "state"
        self.run = uuid4()
        self.number = 0
        sandbox = believed(self.state) if kind == "bubblewrap" else _unwalled(self.state)
        options = TestJobOptions(self.state, INSTALLATION, ambient_environment(), unwalled=kind == "none")
        self.jobs = SupervisedTestJobs(options, EnvironmentStore(self.state / "environments", 1 << 30), sandbox)

    def start(self, run: str, tree: Mapping[str, str] | None = None, **more: Any) -> str:
        self.number += 1
        key = naming.test_key(self.run, 1, f"after-{self.number}")
        job = TestJob(key, partial(_write, tree or {}), run, **{"seconds": 60.0, **more})
        assert self.jobs.start(job) is None
        return key

    def ended(self, run: str, tree: Mapping[str, str] | None = None, **more: Any) -> TestJobResult:
        key = self.start(run, tree, **more)
        until(lambda: self.jobs.state(key) is not JobState.RUNNING, "the end of the job")
        found = self.jobs.result(key)
        assert found is not None
        return found


def _unwalled(state: Path) -> SandboxChoice:
    options = SandboxOptions(state, INSTALLATION, "here", environment=ambient_environment())
    return SandboxChoice("none", {SandboxKind.BUBBLEWRAP: Believed(options)}, NoPin())


def _write(tree: Mapping[str, str], folder: Path) -> None:
    folder.mkdir()
    for path, content in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


@pytest.fixture(params=["none", "bubblewrap"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, request.param)
    yield made
    made.jobs.stop(made.run)


def printed(result: TestJobResult) -> str:
    assert result.log is not None
    return result.log.read_text()


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


def test_output_is_bounded(room: Room) -> None:
    found = room.ended("head -c 100000000 /dev/zero | tr '\\0' 'a' | fold")
    assert found.end is RunEnd.STOPPED
    assert "output" in found.message
    assert found.log is not None
    assert found.log.stat().st_size < 40 << 20


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
    assert room.jobs.start(TestJob(key, partial(_write, {}), "echo twice", 60.0)) is None
    until(lambda: room.jobs.state(key) is not JobState.RUNNING, "the end of the job")
    found = room.jobs.result(key)
    assert found is not None
    assert printed(found).split() == ["once"]


def test_so_many_jobs_run_at_once(room: Room) -> None:
    first, second = room.start("sleep 100"), room.start("sleep 100")
    job = TestJob(naming.test_key(room.run, 1, "third"), partial(_write, {}), "true", 60.0)
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
    jobs = SupervisedTestJobs(options, EnvironmentStore(tmp_path / "environments", 1), _unwalled(tmp_path))
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
