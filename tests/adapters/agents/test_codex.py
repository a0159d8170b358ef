import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.errors import AgentBusy, CredentialInvalid
from moonmind.ports.agent import JobEnd, JobLimits, JobState, ModelCalls
from tests.support.agents import KEY, CodexScene, codex_binary
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

real = [
    pytest.mark.codex_real,
    pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary"),
]

# A Codex of a few lines: it shows how it was called, refreshes the login it was lent, and waits to be let go.
FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys, time
home = pathlib.Path(os.environ["CODEX_HOME"])
say = lambda event: print(json.dumps(event), flush=True)
say({"type": "thread.started", "thread_id": "t-1"})
auth = home / "auth.json"
words = {"argv": sys.argv[1:], "cwd": os.getcwd(), "auth": auth.exists(), "prompt": sys.stdin.read()}
say({"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": json.dumps(words)}})
if auth.exists():
    auth.write_text(auth.read_text().replace("refresh-1", "refresh-2"))
sessions = home / "sessions"
sessions.mkdir(exist_ok=True)
(sessions / "rollout-2026-t-1.jsonl").touch()
while not pathlib.Path("../../go").exists():
    time.sleep(0.02)
say({"type": "turn.completed", "usage": {"input_tokens": 1}})
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[CodexScene]:
    made = CodexScene(tmp_path)
    made.behave("work")
    yield made
    made.close()
    assert made.processes() == set()


@pytest.fixture
def fake(scene: CodexScene, monkeypatch: pytest.MonkeyPatch) -> CodexScene:
    binary = scene.root / "codex"
    binary.write_text(FAKE)
    binary.chmod(0o755)
    options = replace(scene.options(), codex_bin=str(binary))
    monkeypatch.setattr(scene, "options", lambda: options)
    scene.go.touch()
    return scene


def said(scene: CodexScene, attempt: int = 1) -> dict[str, Any]:
    (event,) = (event for event in scene.log(attempt) if event["type"] == "item.completed")
    found: dict[str, Any] = json.loads(event["item"]["text"])
    return found


def test_codex_is_called_in_the_workspace_with_the_prompt_on_standard_input(fake: CodexScene) -> None:
    job = fake.job()
    fake.agent.start(job)
    fake.ended(job)
    words = said(fake)
    assert (words["prompt"], words["cwd"], words["auth"]) == (job.prompt, str(job.workspace), False)
    argv = words["argv"]
    assert isinstance(argv, list)
    assert argv[:8] == ["exec", "--json", "--skip-git-repo-check", "--color", "never", "-s", "danger-full-access", "-C"]
    assert (argv[-3], argv[-1]) == ("-c", "-")
    assert argv[-2].startswith('model_providers.moonmind.base_url="http://127.0.0.1:')


def test_a_known_thread_is_resumed_and_an_unknown_one_starts_over(fake: CodexScene) -> None:
    first = fake.job(1, resume="t-1")  # whose session is not in this home
    fake.agent.start(first)
    fake.ended(first)
    assert "resume" not in said(fake)["argv"]
    second = fake.job(2, resume="t-1")
    fake.agent.start(second)
    fake.ended(second)
    argv = said(fake, 2)["argv"]
    assert isinstance(argv, list)
    assert argv[:6] == ["exec", "resume", "--json", "--skip-git-repo-check", "-c", 'sandbox_mode="danger-full-access"']
    assert (argv[6], argv[-1]) == ("t-1", "-")


def test_a_chatgpt_login_is_lent_to_one_job_and_comes_back_refreshed(fake: CodexScene) -> None:
    fake.go.unlink()
    auth = fake.root / "operator" / "auth.json"
    auth.parent.mkdir()
    auth.write_text('{"tokens": {"access_token": "access-0123456789", "refresh_token": "refresh-1-0123456789"}}')
    options = replace(fake.options(), codex_api_key=None)
    agent, first = CodexAgent(options), fake.job()
    agent.start(first)
    until(lambda: len(fake.log()) > 1, "the agent's words")
    assert said(fake)["auth"] is True
    assert agent.poll(first.key).model_calls == ModelCalls(capped=False)
    second = replace(fake.job(2), key="run-2/submit-1", home_key="run-2")
    with pytest.raises(AgentBusy):
        agent.start(second)
    assert agent.poll(second.key).state is JobState.ABSENT
    fake.go.touch()
    fake.ended(first)
    assert "refresh-2" in auth.read_text()
    agent.start(second)
    assert fake.ended(second).state is JobState.ENDED
    agent.forget("run-2")


def test_forgetting_a_run_saves_the_login_that_a_killed_job_refreshed(fake: CodexScene) -> None:
    fake.go.unlink()
    auth = fake.root / "operator" / "auth.json"
    auth.parent.mkdir()
    auth.write_text('{"tokens": {"refresh_token": "refresh-1-0123456789"}}')
    agent, job = CodexAgent(replace(fake.options(), codex_api_key=None)), fake.job()
    agent.start(job)
    copy = fake.state / "homes" / "run-1" / "codex" / "auth.json"
    until(lambda: "refresh-2" in copy.read_text(), "the refreshed login")
    pid = agent.poll(job.key).pid
    assert pid is not None
    os.kill(pid, 9)
    until(lambda: agent.poll(job.key).state is JobState.LOST, "the loss")
    agent.forget("run-1")
    assert "refresh-2" in auth.read_text()


def test_without_a_login_nothing_starts(fake: CodexScene) -> None:
    agent = CodexAgent(replace(fake.options(), codex_api_key=None))
    with pytest.raises(CredentialInvalid, match="no login") as caught:
        agent.start(fake.job())
    assert caught.value.details == {"check": "codex.login"}
    assert "codex login" in caught.value.advice
    assert agent.poll("run-1/submit-1").state is JobState.ABSENT


def test_without_a_binary_nothing_starts(fake: CodexScene) -> None:
    agent = CodexAgent(replace(fake.options(), codex_bin="/no/such/codex"))
    with pytest.raises(CredentialInvalid) as caught:
        agent.start(fake.job())
    assert caught.value.details == {"check": "codex.binary"}


class Behaving(CodexScene):
    """A scene whose turns the test writes itself."""

    def serve(self, turns: list[dict[str, object]]) -> None:
        log = self.root / "own.jsonl"
        self.server = self.cleanup.enter_context(ResponsesServer({"turns": turns, "per_request": True}, log, KEY))


@pytest.fixture
def behaving(tmp_path: Path) -> Iterator[Behaving]:
    made = Behaving(tmp_path)
    yield made
    made.close()


class TestReal:
    pytestmark = real

    def test_commands_find_the_key_neither_in_an_environment_nor_in_a_command_line_nor_in_the_home(
        self, behaving: Behaving
    ) -> None:
        # Without Codex's sandbox: the commands see every process of this user, Codex and supervisor included.
        # The pattern matches the key and not itself, so that the search does not find itself.
        key = f"{KEY[:8]}[{KEY[8]}]{KEY[9:]}"
        search = (
            "{ env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; } > ../all; "
            f"grep -c '{key}' ../all > found.txt; grep -c '^FROM_THE_JOB=yes' ../all > control.txt; "
            "env | grep -c MOONMIND_MODEL_TOKEN > token.txt; "
            f"grep -rl '{key}' \"$CODEX_HOME\" --include='*.toml' --include='*.json' | wc -l > files.txt"
        )
        behaving.serve([{"exec": search}, {"message": "done"}])
        job = behaving.job()
        behaving.agent.start(job)
        assert behaving.ended(job).state is JobState.ENDED
        counts = {path.stem: int(path.read_text()) for path in behaving.workspace.glob("*.txt")}
        assert counts.pop("control") >= 3  # this command's environment, Codex's, the shell's: they were looked at
        assert counts == {"found": 0, "token": 0, "files": 0}

    def test_the_service_gets_the_key_and_one_conversation(self, behaving: Behaving) -> None:
        behaving.serve([{"exec": "true"}, {"message": "done"}])
        job = behaving.job()
        behaving.agent.start(job)
        status = behaving.ended(job)
        requests = behaving.server.requests()
        assert [request["authorized"] for request in requests] == [True, True]
        assert {request["conversation"] for request in requests} == {status.thread_id}
        assert job.prompt in json.dumps(requests[0]["input"])

    @pytest.mark.slow
    @pytest.mark.full  # Codex itself tries for so long; the contract's agent that finds a service unavailable is the same kind
    def test_a_service_that_is_not_there_ends_the_job_as_unavailable(self, behaving: Behaving) -> None:
        behaving.serve([{"message": "never asked"}])
        behaving.server.shutdown()
        behaving.server.server_close()
        job = behaving.job(limits=JobLimits(stall_seconds=60))
        behaving.agent.start(job)
        result = behaving.ended(job, 100).result
        assert result is not None
        assert result.end is JobEnd.UNAVAILABLE, result

    def test_a_stream_that_breaks_once_is_taken_up_again(self, behaving: Behaving) -> None:
        behaving.serve([{"drop": True}, {"message": "done"}])
        job = behaving.job()
        behaving.agent.start(job)
        result = behaving.ended(job).result
        assert result is not None
        assert (result.end, result.report) == (JobEnd.COMPLETED, "done")


def test_options_can_be_shown_without_their_secrets() -> None:
    assert KEY not in repr(AgentOptions(Path("/s"), "i", secrets=(KEY,), environment={"K": KEY}, codex_api_key=KEY))
