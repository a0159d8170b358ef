"""What every agent promises, asked of each: the scripted one and the real Codex against a model service on loopback."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from moonmind.errors import AgentError
from moonmind.ports.agent import JobEnd, JobLimits, JobState
from tests.support.agents import KEY, SECRET, CodexScene, Scene, ScriptedScene, codex_binary
from tests.support.plain_wall import require_walls
from tests.support.processes import ROOT, alive
from tests.support.waiting import until
from tests.support.walled_agents import CodexBehindBubblewrap, ScriptedBehindBubblewrap

REAL = pytest.param(CodexScene, marks=pytest.mark.codex_real, id="codex")
WALLED = pytest.param(ScriptedBehindBubblewrap, id="scripted-bubblewrap")
REAL_WALLED = pytest.param(
    CodexBehindBubblewrap, marks=[pytest.mark.codex_real, pytest.mark.full], id="codex-bubblewrap"
)


@pytest.fixture(params=[pytest.param(ScriptedScene, id="scripted"), REAL, WALLED, REAL_WALLED])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    if issubclass(request.param, CodexScene) and codex_binary() is None:
        pytest.skip("there is no codex binary")
    if hasattr(request.param, "kind"):
        require_walls()
    made: Scene = request.param(tmp_path)
    yield made
    made.close()
    assert made.processes() == set()


def test_a_job_runs_to_its_result(scene: Scene) -> None:
    scene.behave("work")
    job = scene.job()
    assert scene.agent.poll(job.key).state is JobState.ABSENT
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.state is JobState.ENDED
    assert status.result is not None
    assert (status.result.end, status.result.exit_code, status.result.message) == (JobEnd.COMPLETED, 0, "")
    assert "T001: done" in status.result.report
    assert status.result.usage.input_tokens >= 100
    assert status.result.thread_id == status.thread_id is not None
    assert (scene.workspace / "made.txt").read_text() == "made\n"
    assert scene.log()[0] == {"type": "thread.started", "thread_id": status.thread_id}


def test_however_often_and_from_how_many_threads_it_is_started_one_agent_runs(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job()
    failures: list[BaseException] = []

    def start() -> None:
        try:
            scene.agent.start(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the assertion below shows it
            failures.append(error)

    starters = [threading.Thread(target=start) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert failures == []
    status = scene.started(job)
    scene.agent.start(job)
    assert scene.agent.poll(job.key).pid == status.pid
    scene.go.touch()
    assert scene.ended(job).state is JobState.ENDED
    scene.agent.start(job)  # its key is used up: nothing happens
    assert scene.agent.poll(job.key).state is JobState.ENDED
    assert [event["type"] for event in scene.log()].count("thread.started") == 1


def test_a_job_is_found_from_another_process_by_its_key(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job()
    status = scene.started(job)
    code = f"""
from pathlib import Path
from {type(scene.agent).__module__} import {type(scene.agent).__name__} as Agent
from moonmind.adapters.agents.agent_options import AgentOptions
status = Agent(AgentOptions(Path({str(scene.state)!r}), {scene.installation_id!r})).poll({job.key!r})
print(status.state.value, status.thread_id, status.pid, status.agent_pid, status.agent_started)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    seen = ["running", status.thread_id, str(status.pid), str(status.agent_pid), status.agent_started]
    assert done.stdout.split() == seen


def test_the_job_outlives_its_starter_and_the_starters_whole_group(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job()
    code = (
        "import pickle, signal, sys\n"
        "adapter, options, job = pickle.load(sys.stdin.buffer)\n"
        "adapter(options).start(job)\n"
        "print('started', flush=True)\n"
        "signal.pause()\n"
    )
    # A worker that starts the agent, and is then killed with everything in its group.
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pickle.dumps((type(scene.agent), scene.options(), job)))
        worker.stdin.close()
        assert worker.stdout.readline() == b"started\n"
        os.killpg(worker.pid, signal.SIGKILL)
    assert scene.agent.poll(job.key).state is JobState.RUNNING
    scene.go.touch()
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.COMPLETED


def test_a_stopped_job_leaves_no_process(scene: Scene) -> None:
    scene.behave("leave")
    job = scene.job()
    scene.started(job)
    left = scene.left_process()
    assert alive(left)
    scene.agent.stop(job.key)
    assert not alive(left)
    assert scene.processes() == set()
    status = scene.agent.poll(job.key)
    assert status.state is JobState.ENDED
    assert status.result is not None
    assert status.result.end is JobEnd.STOPPED
    assert status.result.thread_id is not None
    scene.agent.stop(job.key)  # once more is no error, and the result stays
    assert scene.agent.poll(job.key) == status


def test_what_an_agent_leaves_running_at_its_end_is_ended_too(scene: Scene) -> None:
    scene.behave("leave and end")
    job = scene.job()
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.COMPLETED
    assert scene.processes() == set()


def test_stopping_what_never_ran_is_no_error(scene: Scene) -> None:
    scene.behave("work")
    scene.agent.stop("run-1/submit-1")
    assert scene.agent.poll("run-1/submit-1").state is JobState.ABSENT


def test_a_killed_supervisor_makes_the_job_lost_and_stop_ends_the_rest(scene: Scene) -> None:
    scene.behave("leave")
    job = scene.job()
    status = scene.started(job)
    scene.left_process()
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    lost = until(lambda: (s := scene.agent.poll(job.key)).state is JobState.LOST and s, "the loss")
    assert lost.thread_id == status.thread_id
    scene.agent.stop(job.key)
    assert scene.processes() == set()


def test_the_next_attempt_after_a_loss_finds_no_other_agent_and_the_same_thread(scene: Scene) -> None:
    scene.behave("leave", "work")
    first = scene.job(1)
    status = scene.started(first)
    left = scene.left_process()
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    until(lambda: scene.agent.poll(first.key).state is JobState.LOST, "the loss")
    second = scene.job(2, resume=status.thread_id)
    scene.agent.start(second)
    assert not alive(left)
    ended = scene.ended(second)
    assert ended.result is not None
    assert ended.result.end is JobEnd.COMPLETED, ended.result.message
    assert ended.thread_id == status.thread_id


def test_a_resumed_job_keeps_the_thread_and_counts_only_its_own_tokens(scene: Scene) -> None:
    scene.behave("work", "leave and end")
    first = scene.job(1)
    scene.agent.start(first)
    one = scene.ended(first).result
    assert one is not None
    second = scene.job(2, resume=one.thread_id)
    scene.agent.start(second)
    two = scene.ended(second).result
    assert two is not None
    assert (two.end, two.thread_id) == (JobEnd.COMPLETED, one.thread_id)
    assert two.usage == one.usage


def test_a_silent_agent_is_ended_as_stalled(scene: Scene) -> None:
    scene.behave("hang")
    job = scene.job(limits=JobLimits(stall_seconds=2.0))
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.STALLED
    assert status.result.thread_id is not None
    assert scene.processes() == set()


def test_an_agent_that_takes_too_long_is_ended_as_timed_out(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job(limits=JobLimits(total_seconds=2.0))
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.TIMED_OUT


def test_an_agent_that_writes_too_much_is_ended(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job(limits=JobLimits(output_bytes=10))
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.FAILED
    assert "more output" in status.result.message


def test_no_secret_reaches_the_agent_or_its_log(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", "ghp_" + "a" * 36)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("LANG", SECRET)  # on the allow-list, and yet
    scene.behave("leak")
    job = scene.job()
    scene.agent.start(job)
    status = scene.ended(job)
    assert status.result is not None
    assert status.result.end is JobEnd.COMPLETED
    text = job.log_path.read_text()
    assert "[redacted]" in text
    assert "FROM_THE_JOB=yes" in text
    for hidden in (KEY, SECRET, "GH_TOKEN", "ghp_", "AWS_SECRET"):
        assert hidden not in text
    # What the agent itself was told by this test, it remembers: its script, its sessions. Nothing of ours may hold a key.
    ours = [path for path in scene.state.rglob("*") if path.is_file() and path.parent.name == "submit-1"]
    ours += scene.state.rglob("config.toml")
    assert not [path for path in ours if path.name != "script.json" and KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("play", "end"),
    [
        ("credential", JobEnd.CREDENTIAL),
        ("quota", JobEnd.QUOTA),
        ("unavailable", JobEnd.UNAVAILABLE),
        ("failed", JobEnd.FAILED),
    ],
)
@pytest.mark.in_every_run(4)
def test_a_bad_end_is_classed_by_what_it_asks_for(scene: Scene, play: str, end: JobEnd) -> None:
    scene.behave(play)
    job = scene.job()
    scene.agent.start(job)
    result = scene.ended(job).result
    assert result is not None
    assert result.end is end, result
    assert result.message
    if end is JobEnd.QUOTA:
        assert result.resets_at is not None, result.message
        # Codex tells the reset in whole minutes.
        assert abs(result.resets_at - datetime.now(UTC) - timedelta(minutes=10)) < timedelta(minutes=2)


def test_a_forgotten_run_leaves_nothing_not_even_a_running_job(scene: Scene) -> None:
    scene.behave("wait")
    job = scene.job()
    scene.started(job)
    scene.agent.forget("run-1")
    assert scene.processes() == set()
    assert scene.agent.poll(job.key).state is JobState.ABSENT
    assert [path for path in scene.state.rglob("*") if "run-1" in path.parts] == []
    scene.agent.forget("run-1")  # once more is no error


def test_a_job_that_cannot_start_says_why_and_may_be_started_again(scene: Scene) -> None:
    scene.behave("work")
    job = scene.job()
    with pytest.raises(AgentError, match="absent"):
        scene.agent.start(replace(job, workspace=scene.root / "absent"))
    assert scene.agent.poll(job.key).state is JobState.ABSENT
    scene.agent.start(job)
    assert scene.ended(job).state is JobState.ENDED
