"""What the real Codex does at the limit of model calls, and which of the service's own tools it is offered."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents.codex import CodexAgent
from moonmind.ports.agent import JobEnd, JobState, ModelCalls
from tests.support.agents import KEY, CodexScene, codex_binary
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

pytestmark = [
    pytest.mark.codex_real,
    pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary"),
]


class Endless(CodexScene):
    """A model that never stops calling tools, until it has been asked for the last of its turns."""

    def serve(self, *turns: dict[str, Any]) -> None:
        log = self.root / "own.jsonl"
        script = {"turns": list(turns), "per_request": True}
        self.server = self.cleanup.enter_context(ResponsesServer(script, log, KEY))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Endless]:
    made = Endless(tmp_path)
    yield made
    made.close()


def test_the_limit_ends_the_turn_at_once_and_the_thread_goes_on_later(scene: Endless) -> None:
    scene.serve(*[{"exec": "echo again >> done.txt"}] * 5, {"message": "T001: done"})
    job = scene.job(1)
    limited = replace(job.limits, model_calls=3)
    scene.agent.start(replace(job, limits=limited))
    first = scene.ended(job)
    assert first.result is not None
    assert (first.result.end, first.model_calls) == (JobEnd.CALL_LIMIT, ModelCalls(3, 0))
    assert "3 calls were made, 3 are allowed" in first.result.message
    assert len(scene.server.requests()) == 3
    refusals = [event for event in scene.log(1) if "model_call_limit" in json.dumps(event)]
    # It is told once and does not try again.
    assert [event["type"] for event in refusals] in (["turn.failed"], ["error", "turn.failed"])
    # The run's own next job makes no further call.
    again = replace(scene.job(2, resume=first.thread_id), limits=limited, calls_before=3, calls_base=0)
    scene.agent.start(again)
    second = scene.ended(again)
    assert second.result is not None
    assert (second.result.end, second.model_calls) == (JobEnd.CALL_LIMIT, ModelCalls(3, 0))
    assert len(scene.server.requests()) == 3
    # A person's retry begins a new allowance, in the same thread; what was counted is known without being told.
    third = replace(scene.job(3, resume=first.thread_id), limits=limited)
    scene.agent.start(third)
    ended = scene.ended(third)
    assert ended.result is not None
    assert (ended.result.end, ended.model_calls) == (JobEnd.COMPLETED, ModelCalls(6, 3))
    assert ended.thread_id == first.thread_id
    assert (scene.workspace / "done.txt").read_text().count("again") == 5


def test_the_calls_of_a_lost_job_are_known(scene: Endless) -> None:
    scene.serve({"exec": "true"}, {"exec": "true"}, {"hang": 60})
    job = scene.job()
    scene.agent.start(job)
    until(lambda: scene.agent.poll(job.key).model_calls == ModelCalls(3, 0), "three calls")
    pid = scene.agent.poll(job.key).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    lost = until(lambda: (seen := scene.agent.poll(job.key)).state is JobState.LOST and seen, "the loss")
    assert lost
    assert lost.model_calls == ModelCalls(3, 0)


@pytest.mark.parametrize(
    "profile",
    ["", 'web_search = "live"\n', "[tools]\nweb_search = true\n", "[features]\nweb_search_request = true\n"],
    ids=["none", "live", "tools", "features"],
)
def test_the_services_own_search_is_not_offered(scene: Endless, profile: str) -> None:
    scene.serve({"message": "T001: done"})
    (scene.root / "operator").mkdir()
    (scene.root / "operator" / "prod.config.toml").write_text(profile)
    agent, job = CodexAgent(replace(scene.options(), codex_env="prod")), scene.job()
    agent.start(job)
    assert scene.ended(job).state is JobState.ENDED
    (asked,) = scene.server.requests()
    assert "exec_command" in asked["tools"]
    assert not [tool for tool in asked["tools"] if "web" in tool]
