"""Every agent's promise that of one run never two are at work: they would share a folder and a home."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.errors import AgentError
from moonmind.ports.agent import JobEnd, JobState
from tests.support.agents import CodexScene, Scene, ScriptedScene, codex_binary
from tests.support.processes import alive
from tests.support.waiting import until

REAL = pytest.param(CodexScene, marks=pytest.mark.codex_real, id="codex")


@pytest.fixture(params=[pytest.param(ScriptedScene, id="scripted"), REAL])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    if request.param is CodexScene and codex_binary() is None:
        pytest.skip("there is no codex binary")
    made: Scene = request.param(tmp_path)
    yield made
    made.close()
    assert made.processes() == set()


def test_a_next_job_of_the_run_starts_only_when_the_one_that_still_works_is_gone(scene: Scene) -> None:
    scene.behave("leave", "work")
    first, second = scene.job(1), scene.job(2)
    status = scene.started(first)
    left = scene.left_process()
    scene.agent.start(second)
    assert not alive(left)
    assert status.pid is not None
    assert status.agent_pid is not None
    assert not alive(status.pid)
    assert not alive(status.agent_pid)
    before = scene.agent.poll(first.key)
    assert before.result is not None
    assert before.result.end is JobEnd.STOPPED
    ended = scene.ended(second)
    assert ended.result is not None
    assert ended.result.end is JobEnd.COMPLETED, ended.result.message


def test_of_two_jobs_that_start_at_the_same_time_never_both_are_at_work(scene: Scene) -> None:
    scene.behave("hang")
    refused: list[AgentError] = []

    def start(attempt: int) -> None:
        try:
            scene.agent.start(scene.job(attempt))
        except AgentError as error:
            refused.append(error)

    threads = [threading.Thread(target=start, args=(attempt,)) for attempt in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [scene.agent.poll(f"run-1/submit-{attempt}").state for attempt in (1, 2)]
    assert states.count(JobState.RUNNING) <= 1, states
    assert all(error.retryable for error in refused)
    scene.agent.start(scene.job(3))
    states = [scene.agent.poll(f"run-1/submit-{attempt}").state for attempt in (1, 2, 3)]
    assert states.index(JobState.RUNNING) == 2, states


def test_jobs_at_work_are_listed_and_those_that_ended_are_not(scene: Scene) -> None:
    scene.behave("wait")
    assert scene.agent.running() == ()
    job = scene.job()
    scene.started(job)
    assert scene.agent.running() == (job.key,)
    scene.go.touch()
    scene.ended(job)
    until(lambda: scene.agent.running() == (), "the supervisor's end")
