"""The real Codex with a ChatGPT login that it never holds."""

import json
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.ports.agent import JobEnd, JobState, ModelCalls
from tests.support.agents import CodexScene, codex_binary
from tests.support.chatgpt import Issuer, jwt, stored
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

pytestmark = [
    pytest.mark.codex_real,
    pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary"),
]


class Backend(ResponsesServer):
    """A model service that takes the newest token of the issuer, or the one that the login had at first."""

    issuer: Issuer
    first = ""

    @property
    def key(self) -> str:
        return max(self.issuer.accepted, key=len, default=self.first)

    @key.setter
    def key(self, value: str) -> None:
        self.first = value


class Relayed(CodexScene):
    def __init__(self, root: Path, issuer: Issuer) -> None:
        super().__init__(root)
        Backend.issuer = issuer
        self.issuer = issuer
        self.operator = root / "operator"
        self.operator.mkdir()

    def serve(self, access: str, *turns: dict[str, object]) -> None:
        script = {"turns": list(turns), "per_request": True}
        self.server = self.cleanup.enter_context(Backend(script, self.root / "own.jsonl", access))
        backend = self.server.url.removesuffix("/v1")
        (self.operator / "auth.json").write_text(json.dumps(stored(access)))
        (self.operator / "prod.config.toml").write_text(f'chatgpt_base_url = "{backend}/backend-api/"\n')

    def options(self) -> AgentOptions:
        made = super().options()
        environment = {**made.environment, "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{self.issuer.url}/oauth/token"}
        return replace(made, codex_api_key=None, codex_base_url=None, codex_env="prod", environment=environment)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Relayed]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made = Relayed(tmp_path, issuer)
    yield made
    made.close()
    issuer.server.shutdown()
    thread.join()
    issuer.server.server_close()


@pytest.mark.parametrize("seconds", [3600.0, -60.0], ids=["valid", "expired"])
def test_codex_works_with_a_login_that_is_nowhere_in_its_reach(scene: Relayed, seconds: float) -> None:
    access = jwt(1, seconds)
    scene.serve(access, {"exec": "env > ../env; cat $CODEX_HOME/* > ../home 2>/dev/null"}, {"message": "T001: done"})
    job = scene.job()
    scene.agent.start(job)
    ended = scene.ended(job)
    assert ended.result is not None
    assert (ended.result.end, ended.model_calls) == (JobEnd.COMPLETED, ModelCalls(2, 0)), ended.result.message
    asked = [request for request in scene.server.requests() if request["method"] == "POST"]
    assert [request["authorized"] for request in asked] == [True, True]
    assert {request["headers"].get("chatgpt-account-id") for request in asked} == {"acc-1"}
    assert {request["path"] for request in asked} == {"/backend-api/codex/responses"}
    assert len(scene.issuer.renewals) == (seconds < 0)
    tokens = json.loads((scene.operator / "auth.json").read_text())["tokens"]
    home = scene.state / "homes" / "run-1" / "codex"
    assert not (home / "auth.json").exists()
    assert "requires_openai_auth" in (home / "config.toml").read_text()
    assert tomllib.loads((home / "config.toml").read_text())["model_provider"] == "moonmind"
    kept = [path.read_bytes() for path in scene.state.rglob("*") if path.is_file()]
    shown = b"".join([*kept, (scene.workspace / "../env").read_bytes(), (scene.workspace / "../home").read_bytes()])
    assert not [name for name, value in tokens.items() if len(value) > 8 and value.encode() in shown]


def test_several_agents_use_it_at_once(scene: Relayed) -> None:
    go = str(scene.go)
    scene.serve(jwt(1), {"message": "T001: done", "wait_for": go})
    agent = CodexAgent(scene.options())
    jobs = [scene.job(), replace(scene.job(2), key="run-2/submit-1", home_key="run-2")]
    for job in jobs:
        agent.start(job)
    until(lambda: len(scene.server.requests()) >= 2, "both agents' questions")
    scene.go.touch()
    assert [scene.ended(job).state for job in jobs] == [JobState.ENDED, JobState.ENDED]
    agent.forget("run-2")


@pytest.mark.slow
def test_a_login_that_is_used_up_ends_the_job_as_a_credential(scene: Relayed) -> None:
    scene.issuer.valid = "another"
    scene.serve(jwt(1, -60), {"message": "never asked"})
    job = scene.job()
    scene.agent.start(job)
    result = scene.ended(job, 60).result
    assert result is not None
    assert result.end is JobEnd.CREDENTIAL, result
    assert [request for request in scene.server.requests() if request["method"] == "POST"] == []
