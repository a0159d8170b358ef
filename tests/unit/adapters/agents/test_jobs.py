import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.agents import jobs as room
from moonmind.adapters.agents.jobs import Jobs
from moonmind.adapters.supervisor.folder import write_json
from moonmind.errors import AgentError
from moonmind.ports.agent import JobState
from tests.support.agents import Scene, ScriptedScene
from tests.support.waiting import until


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
        with pytest.raises(AgentError, match="no job key"):
            call(key)


def test_a_supervisor_that_hangs_is_killed_with_its_agent(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_STOP_SECONDS", 0.5)
    job = scene.job()
    status = scene.started(job)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGSTOP)
    scene.agent.stop(job.key)
    assert scene.processes() == set()
    assert scene.agent.poll(job.key).state is JobState.LOST


def test_stopping_after_another_boot_signals_nobody(scene: Scene, jobs: Jobs) -> None:
    # A handle whose numbers now belong to somebody else: to this very test.
    folder = jobs.folder("old/submit-1")
    folder.make()
    me = os.getpid()
    body = {"pid": me, "started": "1", "agent_pid": me, "agent_started": "1", "boot": "another boot"}
    write_json(folder.handle, body)
    assert jobs.poll("old/submit-1").state is JobState.LOST
    jobs.stop("old/submit-1")
    body |= {"boot": room.kernel.boot_id()}
    write_json(folder.handle, body)
    jobs.stop("old/submit-1")  # the same boot, the same number, and yet another process


def test_files_that_cannot_be_read_are_an_agent_error(jobs: Jobs) -> None:
    folder = jobs.folder("run/submit-1")
    folder.make()
    folder.handle.write_text("{")
    with pytest.raises(AgentError, match="run/submit-1"):
        jobs.poll("run/submit-1")


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
