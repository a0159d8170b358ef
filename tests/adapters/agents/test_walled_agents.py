"""What an agent asks of the wall that its jobs are behind."""

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from moonmind.adapters.agents.codex_home import furnish, knows_thread
from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.errors import AgentUnknown, SandboxFailed, SandboxUnavailable
from moonmind.ports.agent import JobState
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import BoxedCommand, SandboxKind, Wrapped
from tests.support.agents import CodexScene, ScriptedScene, codex_binary
from tests.support.plain_wall import require_walls
from tests.support.walled_agents import CodexBehindBubblewrap, ScriptedBehindBubblewrap

DOCKER = SandboxKind.DOCKER


@dataclass
class Engine:
    """A wall whose jobs would be known to another program."""

    kind = DOCKER
    user: tuple[int, int] | None = None
    status: CheckStatus = CheckStatus.PASSED
    down: bool = False
    known: tuple[str, ...] = ()
    ended: list[str] = field(default_factory=list)

    def wrap(self, job: BoxedCommand) -> Wrapped:
        return Wrapped(("/bin/false",), job.environment)

    def end(self, mark: str) -> None:
        if self.down:
            raise AgentUnknown("the engine is down")
        self.ended.append(mark)

    def overlays(self) -> bool:
        return False

    def marks(self) -> tuple[str, ...]:
        if self.down:
            raise AgentUnknown("the engine is down")
        return self.known

    def foundation(self) -> str:
        return "programs"

    def check(self) -> tuple[Check, ...]:
        return (Check("sandbox", self.status, "says the engine"),)


@pytest.fixture
def scene(tmp_path: Path) -> ScriptedScene:
    made = ScriptedScene(tmp_path)
    made.behave("work")
    return made


def agent(scene: ScriptedScene, engine: Engine) -> ScriptedAgent:

    return ScriptedAgent(replace(scene.options(), sandbox=SandboxChoice(DOCKER, {DOCKER: engine}, NoPin())))


def test_jobs_without_a_supervisor_are_found_by_their_marks(scene: ScriptedScene) -> None:
    ours = f"{scene.installation_id}/run-1/submit-1"
    engine = Engine(known=(ours, "another/run-2/submit-1"))
    assert agent(scene, engine).running() == ("run-1/submit-1",)
    engine.down = True
    assert agent(scene, engine).running() == (), "an engine that is down ends no round of the janitor"


def test_a_stop_is_certain_only_once_the_wall_says_so(scene: ScriptedScene) -> None:
    engine = Engine()
    made = agent(scene, engine)
    job = scene.job()
    made.start(job)
    assert scene.ended(job).state is JobState.ENDED
    engine.down = True
    with pytest.raises(AgentUnknown, match="down"):
        made.stop(job.key)
    engine.down = False
    made.stop(job.key)
    assert engine.ended == [f"{scene.installation_id}/{job.key}"]
    made.forget("run-1")


@pytest.mark.parametrize(
    ("status", "error"), [(CheckStatus.FAILED, SandboxFailed), (CheckStatus.UNKNOWN, SandboxUnavailable)]
)
def test_a_wall_that_is_not_proven_starts_nothing(
    scene: ScriptedScene, status: CheckStatus, error: type[Exception]
) -> None:
    made = agent(scene, Engine(status=status))
    with pytest.raises(error, match="says the engine"):
        made.start(scene.job())
    assert made.poll(scene.job().key).state is JobState.ABSENT


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_SECRET_ACCESS_KEY", "of-the-operator"), ("PYTHONPATH", "/evil"), ("HTTPS_PROXY", "http://u:p@proxy")],
)
def test_nothing_of_the_workers_environment_is_behind_the_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    require_walls()
    made = ScriptedBehindBubblewrap(tmp_path)
    (made.root / "script.json").write_text(
        '{"version": 1, "steps": [{"print_environment": true}, {"end": "completed"}]}'
    )
    try:
        made.agent.start(made.job())
        status = made.ended(made.job())
        seen = (tmp_path / "log-1.jsonl").read_text()
    finally:
        made.close()
    assert status.sandbox == "bubblewrap"
    assert "FROM_THE_JOB" in seen
    assert "HOME=/home/job" in seen
    assert name not in seen
    assert value not in seen


@pytest.mark.codex_real
def test_what_a_job_behind_a_wall_may_write_is_given_to_no_other_job(tmp_path: Path) -> None:
    if codex_binary() is None:
        pytest.skip("there is no codex binary")
    require_walls()
    walled = CodexBehindBubblewrap(tmp_path)
    walled.behave("work")
    try:
        for attempt in (1, 2):
            walled.agent._jobs.folder(f"run-1/submit-{attempt}").make()
        order = walled.agent._order(walled.job())
        written = {walled.state / "homes/run-1/walled" / name for name in ("codex", "home")}
        assert all(any(str(folder) in word for word in order.argv) for folder in written)
        for name in ("auth.json", "auth.json.lent", ".env"):
            os.mkfifo(walled.state / "homes/run-1/walled/codex" / name)
        bare = CodexScene.options(walled)
        plain = walled.build(bare)._order(replace(walled.job(), key="run-1/submit-2"))
        assert plain.environment["CODEX_HOME"] == str(walled.state / "homes/run-1/codex")
        assert not any("walled" in word for word in (*plain.argv, *plain.environment.values()))
    finally:
        walled.close()  # forgets the run: pipes in its home hold nothing up


@pytest.mark.parametrize("name", ["config.toml", "AGENTS.md"])
def test_a_folder_in_the_way_of_a_configuration_goes(tmp_path: Path, name: str) -> None:
    (tmp_path / "home" / name / "deeper").mkdir(parents=True)
    furnish(tmp_path / "home", {"model": "m"}, "words")
    assert (tmp_path / "home" / name).is_file()


@pytest.mark.parametrize("thread", ["", "-x", "--help", "../x", "a", "x" * 200, "a b"])
def test_an_id_that_is_no_id_is_never_resumed(tmp_path: Path, thread: str) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    with contextlib.suppress(OSError):
        (sessions / f"rollout-{thread.replace('/', '')}.jsonl").touch()
    assert not knows_thread(tmp_path, thread)


@pytest.mark.parametrize("place", ["sessions", "sessions/2026", "sessions/2026/01"])
def test_no_conversation_is_looked_for_behind_a_link(tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere/2026/01/01").mkdir(parents=True)
    for folder in ("", "2026", "2026/01"):
        (tmp_path / "elsewhere" / folder / "rollout-t-123.jsonl").touch()
    link = tmp_path / "home" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    assert knows_thread(tmp_path / "home", "t-123") is False
