import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.jobs.job_timing import JobTiming
from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.folder import write_json
from moonmind.adapters.supervisor.heartbeat import last_beat
from moonmind.errors import AgentError, AgentUnknown
from moonmind.ports.agent import JobEnd, JobState, JobStatus
from tests.support.agents import Scene, ScriptedScene
from tests.support.processes import waiting_in
from tests.support.trees import deepen
from tests.support.waiting import PATIENCE, until


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = ScriptedScene(tmp_path)
    made.behave("wait")
    yield made
    made.close()
    assert made.processes() == set()


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "state", "i", {})


@pytest.mark.parametrize("key", ["../run-1/submit-1", "run-1//submit-1", "/run-1", "", ".", "run/..", "a\0b"])
def test_a_key_that_would_leave_the_state_folder_is_refused(jobs: Jobs, key: str) -> None:
    for call in (jobs.poll, jobs.stop, jobs.stop_all, jobs.remove, jobs.home):
        with pytest.raises(AgentError, match="not a job key"):
            call(key)


def test_a_run_that_is_removed_meanwhile_does_not_hide_the_others(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("run-1/submit-1", "run-2/submit-1", "run-3/submit-1"):
        jobs.folder(key).make()
    (tmp_path / "state/jobs/run-3/note.txt").touch()
    held = jobs.folder("run-3/submit-1").try_lock()
    assert held is not None
    listed = Path.iterdir

    def removing(folder: Path) -> Iterator[Path]:
        found = list(listed(folder))
        shutil.rmtree(tmp_path / "state/jobs/run-1", ignore_errors=True)
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", removing)
    assert jobs.listed() == ("run-2/submit-1", "run-3/submit-1")
    assert jobs.running() == ("run-3/submit-1",)
    os.close(held)


def hang(scene: Scene) -> int:
    """Start a job whose supervisor writes to a pipe that nobody reads; returns the end that was opened."""
    words = [{"say": "x" * (1 << 20)}, {"hang": True}]
    (scene.root / "script.json").write_text(json.dumps({"version": 1, "steps": words}))
    job = scene.job()
    os.mkfifo(job.log_path)
    reader = os.open(job.log_path, os.O_RDONLY | os.O_NONBLOCK)
    scene.agent.start(job)
    # More than the lines before: the write that cannot end has begun, and only then does the supervisor hang.
    until(lambda: waiting_in(reader) > 32768, "the long line")
    return reader


@pytest.mark.parametrize("timing", [JobTiming(hung=0.5), JobTiming(stop=0.5)], ids=["hung", "stop"])
def test_a_supervisor_that_hangs_is_killed_with_its_agent(scene: Scene, timing: JobTiming) -> None:
    scene.timing = timing
    reader = hang(scene)
    if timing.stop == 0.5:
        # As a supervisor of the version before: it shows no heartbeat.
        scene.agent._jobs.folder("run-1/submit-1").heartbeat.unlink()
    began = time.monotonic()
    scene.agent.stop("run-1/submit-1")
    assert time.monotonic() - began < 5
    assert scene.processes() == set()
    assert scene.agent.poll("run-1/submit-1").state is JobState.LOST
    os.close(reader)


def test_a_supervisor_that_is_stopped_ends_its_job_in_good_order_when_asked_to(scene: Scene) -> None:
    job = scene.job()
    status = scene.started(job)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGSTOP)
    began = time.monotonic()
    scene.agent.stop(job.key)
    assert time.monotonic() - began < 5
    assert scene.processes() == set()
    ended = scene.agent.poll(job.key)
    assert (ended.state, ended.result and ended.result.end) == (JobState.ENDED, JobEnd.STOPPED)


def noted(jobs: Jobs, **handle: float) -> JobStatus:
    """Look at a job whose lock is held, with these words in its handle."""
    folder = jobs.folder("run/submit-1")
    folder.make()
    lock = folder.try_lock()
    assert lock is not None
    nobody = {"pid": 1, "started": "0", "agent_pid": 1, "agent_started": "0", "boot": kernel.boot_id()}
    write_json(folder.handle, {**nobody, **handle})
    status = jobs.poll("run/submit-1")
    os.close(lock)
    return status


@pytest.mark.parametrize(
    ("age", "silent", "limit"),
    [
        (50, 0, None),
        (50, 50, JobEnd.STALLED),
        (61, 1.5, None),  # the supervisor works, and is about to end it
        (70, 0, None),
        (64, 4, JobEnd.TIMED_OUT),
        (190, 0, JobEnd.TIMED_OUT),  # it works, and does not get rid of its agent
    ],
)
def test_a_running_job_says_which_limit_it_has_outlived(
    jobs: Jobs, age: float, silent: float, limit: JobEnd | None
) -> None:
    now = time.monotonic()
    folder = jobs.folder("run/submit-1")
    folder.make()
    folder.heartbeat.write_text(f"{now - silent:020.3f}\n")
    status = noted(jobs, monotonic=now - age, stall_seconds=40, total_seconds=60)
    assert (status.state, status.overdue) == (JobState.RUNNING, limit)


def test_a_supervisor_without_a_single_heartbeat_is_judged_from_its_start(jobs: Jobs) -> None:
    began = time.monotonic() - 50
    assert noted(jobs, monotonic=began, stall_seconds=60, total_seconds=90).overdue is None
    assert noted(jobs, monotonic=began, stall_seconds=40, total_seconds=90).overdue is JobEnd.STALLED


def test_a_job_of_the_version_before_which_noted_no_limits_is_believed(jobs: Jobs) -> None:
    status = noted(jobs)
    assert (status.state, status.overdue) == (JobState.RUNNING, None)


def test_a_supervisor_at_work_shows_a_heartbeat_that_goes_on(scene: Scene) -> None:
    scene.started(scene.job())
    place = scene.agent._jobs.folder("run-1/submit-1").heartbeat
    first = last_beat(place)
    assert first is not None
    until(lambda: (last_beat(place) or 0) > first, "the next beat")
    assert scene.agent.poll("run-1/submit-1").overdue is None


def test_stopping_after_another_boot_signals_nobody(scene: Scene, jobs: Jobs) -> None:
    # A handle whose numbers now belong to another process: to this very test.
    folder = jobs.folder("old/submit-1")
    folder.make()
    me = os.getpid()
    body = {"pid": me, "started": "1", "agent_pid": me, "agent_started": "1", "boot": "another boot"}
    write_json(folder.handle, body)
    assert jobs.poll("old/submit-1").state is JobState.LOST
    jobs.stop("old/submit-1")
    body |= {"boot": kernel.boot_id()}
    write_json(folder.handle, body)
    jobs.stop("old/submit-1")  # the same boot, the same number, and yet another process


def test_files_that_cannot_be_read_are_an_agent_error(jobs: Jobs) -> None:
    folder = jobs.folder("run/submit-1")
    folder.make()
    folder.handle.write_text("{")
    with pytest.raises(AgentError, match="run/submit-1"):
        jobs.poll("run/submit-1")


def test_what_cannot_be_looked_at_now_may_be_looked_at_later(jobs: Jobs) -> None:
    folder = jobs.folder("run/submit-1")
    folder.make()
    folder.handle.mkdir()  # like a process without a free descriptor: opening fails, and says nothing about the job
    with pytest.raises(AgentUnknown) as caught:
        jobs.poll("run/submit-1")
    assert caught.value.retryable
    assert caught.value.code == "agent_unknown"


@pytest.fixture
def slow(scene: Scene) -> Scene:
    """Return a scene whose supervisor detaches, takes the lock, and then waits for a reader of its log."""
    scene.timing = JobTiming(start=2.0)
    os.mkfifo(scene.job().log_path)
    return scene


def supervisors(scene: Scene) -> list[kernel.Process]:
    mark = f"{scene.installation_id}/run-1/submit-1"
    return kernel.called("-m", "moonmind.adapters.supervisor", mark)


def test_a_start_that_takes_long_and_comes_up_is_a_start(slow: Scene) -> None:
    job = slow.job()

    def read() -> None:
        # Two until the launcher is given up and killed.
        until(lambda: len(supervisors(slow)) == 2, "launcher and supervisor")
        until(lambda: len(supervisors(slow)) == 1, "the end of the launcher")
        job.log_path.read_bytes()

    reader = threading.Thread(target=read)
    reader.start()
    slow.agent.start(job)
    status = slow.agent.poll(job.key)
    assert status.state is JobState.RUNNING
    assert [one.pid for one in supervisors(slow)] == [status.pid]
    slow.agent.stop(job.key)
    reader.join()
    assert supervisors(slow) == []


def test_a_start_that_never_comes_up_leaves_nothing_behind_and_may_be_tried_again(slow: Scene) -> None:
    slow.timing = replace(slow.timing, settle=0.3)
    with pytest.raises(AgentUnknown) as caught:
        slow.agent.start(slow.job())
    assert caught.value.retryable
    assert supervisors(slow) == []
    assert slow.agent.poll("run-1/submit-1").state is JobState.ABSENT
    again = replace(slow.job(2), log_path=slow.root / "log-2.jsonl")
    assert slow.started(again).state is JobState.RUNNING


def test_a_job_that_was_stopped_before_it_started_does_not_start_any_more(scene: Scene) -> None:
    job = scene.job()
    scene.agent._jobs.folder(job.key).make()
    scene.agent.stop(job.key)
    with pytest.raises(AgentUnknown, match="stopped before it started"):
        scene.agent.start(job)
    assert scene.agent.poll(job.key).state is JobState.ABSENT


def with_leftover(jobs: Jobs, left: kernel.Process) -> str:
    """Make a job that has ended and left a process behind, one that dropped its mark."""
    folder = jobs.folder("run/submit-1")
    folder.make()
    nobody = {"pid": 1, "started": "0", "agent_pid": 1, "agent_started": "0"}
    write_json(folder.handle, {**nobody, "boot": kernel.boot_id()})
    ended = {"end": "exited", "exit_code": 0, "at": 1.0, "seconds": 1.0, "survivors": 1}
    write_json(folder.result, {**ended, "left": [{"pid": left.pid, "started": left.started}]})
    return "run/submit-1"


def test_what_outlived_its_job_is_ended_when_the_job_is_stopped_again(jobs: Jobs) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        key = with_leftover(jobs, kernel.identify(child.pid))
        assert jobs.poll(key).facts["survivors"] == 1
        jobs.stop(key)
        assert child.wait(PATIENCE) == -signal.SIGKILL


def test_what_outlives_its_job_and_cannot_be_ended_keeps_the_next_one_from_starting(scene: Scene) -> None:
    scene.timing = JobTiming(kill=0.2)
    jobs = scene.agent._jobs
    with_leftover(jobs, kernel.identify(1))  # the first process takes no SIGKILL, from whomever
    folder = jobs.folder("run/submit-1").path
    next_one = replace(scene.job(), key="run/submit-2", home_key="run")
    with pytest.raises(AgentUnknown, match=r"cannot be ended: 1") as caught:
        scene.agent.start(next_one)
    assert caught.value.retryable
    assert scene.agent.poll(next_one.key).state is JobState.ABSENT
    shutil.rmtree(folder)


def test_a_home_with_read_only_folders_is_removed(jobs: Jobs) -> None:
    home = jobs.home("run")
    cache = home / "cache" / "module"
    cache.mkdir(parents=True)
    (cache / "file").touch()
    (home / "link").symlink_to("/etc")
    cache.chmod(0o500)
    jobs.remove("run")
    assert not home.exists()
    assert Path("/etc").is_dir()


@pytest.mark.parametrize(("levels", "name"), [(1200, "d"), (2000, "t"), (40, "n" * 250)])
def test_what_an_agent_left_deep_in_its_home_or_temporary_folder_is_removed(jobs: Jobs, levels: int, name: str) -> None:
    deepen(jobs.home("run") / "cache", levels, name=name)
    deepen(jobs.folder("run/submit-1").path / "tmp", levels, name=name)
    jobs.remove("run")
    assert not jobs.folder("run/submit-1").path.exists()


def test_homes_are_for_their_user_alone(jobs: Jobs) -> None:
    assert jobs.home("run").stat().st_mode & 0o777 == 0o700


def test_two_installations_in_one_folder_do_not_end_each_others_leftovers(scene: Scene) -> None:
    job = scene.job()
    status = scene.started(job)
    stranger = Jobs(scene.root / "elsewhere", "another installation", {})
    folder = stranger.folder(job.key)
    folder.make()
    write_json(folder.handle, {"pid": 1, "started": "0", "agent_pid": 1, "agent_started": "0", "boot": "x"})
    stranger.stop(job.key)
    assert scene.agent.poll(job.key) == status
    scene.go.touch()
    until(lambda: scene.agent.poll(job.key).state is JobState.ENDED, "the job's own end")


class TestMayRun:
    def test_a_job_may_run_from_the_moment_that_its_folder_is_made(self, tmp_path: Path) -> None:
        jobs = Jobs(tmp_path / "state", "i", {"PATH": "/usr/bin"})
        assert not jobs.may_run("r/submit-1")
        folder = jobs.folder("r/submit-1")
        folder.make()
        assert jobs.may_run("r/submit-1")
        os.utime(folder.path, (0, 0))
        assert not jobs.may_run("r/submit-1"), "whoever made it was killed"

    @pytest.mark.parametrize("left", ["handle.json", "result.json"])
    def test_a_job_that_has_begun_runs_while_its_lock_is_held(self, tmp_path: Path, left: str) -> None:
        jobs = Jobs(tmp_path / "state", "i", {"PATH": "/usr/bin"})
        folder = jobs.folder("r/submit-1")
        folder.make()
        (folder.path / left).write_text("{}")
        assert not jobs.may_run("r/submit-1")
        lock = folder.try_lock()
        assert lock is not None
        assert jobs.may_run("r/submit-1")
        os.close(lock)
        assert not jobs.may_run("r/submit-1")
