"""Kill what runs a job behind a wall, wherever it hurts: one agent, nothing left, one pull request."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.supervisor import kernel
from tests.support.docker_engine import DockerEngine
from tests.support.engines import Engine, assert_published_once, attempts
from tests.support.plain_wall import require_walls
from tests.support.processes import marked_with
from tests.support.waiting import until

WALLS = ["bubblewrap", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.full])]


@dataclass
class Walled:
    """A run whose scripted agent waits behind a wall."""

    engine: Engine
    docker: DockerEngine | None
    run_id: str = ""

    def begin(self) -> dict[str, Any]:
        """Start a run and return the handle of its agent, which works by then."""
        self.run_id = self.engine.team.create()
        reached = self.engine.team.await_run
        reached(self.run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
        until((self.tree / "reached").exists, "the agent")
        return self.handle()

    def handle(self, attempt: int = 1) -> dict[str, Any]:
        return until(lambda: self.engine.team.handle(self.run_id, attempt=attempt), "the agent's handle", 60)

    @property
    def tree(self) -> Path:
        return self.engine.team.state / "workspaces" / self.run_id / "tree"

    def release(self) -> None:
        (self.tree / "released").touch()

    def at_work(self) -> list[int]:
        """List the processes of the run's jobs, behind the wall or before it."""
        return marked_with(self.run_id)

    def done(self) -> dict[str, Any]:
        run = self.engine.team.succeed(self.run_id)
        assert_published_once(self.engine.team, run)
        until(lambda: self.at_work() == [], "the end of all processes")
        assert self.containers() == []
        return run

    def containers(self) -> list[str]:
        """List the containers of the run's jobs, whatever their state."""
        marks = self.docker.docker("ps", "--all", "--format", '{{.Label "moonmind.job"}}') if self.docker else ""
        return [mark for mark in marks.splitlines() if self.run_id in mark]


@pytest.fixture(params=WALLS)
def walled(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Walled:
    if request.param == "bubblewrap":
        require_walls()
    return prepared(engine, tmp_path, request.getfixturevalue("docker_engine") if request.param == "docker" else None)


def prepared(engine: Engine, folder: Path, docker: DockerEngine | None) -> Walled:
    steps = [
        {"write": "reached", "content": "yes\n"},
        {"wait_for": "/workspace/released"},
        {"delete": "reached"},
        {"delete": "released"},
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"claim": ["T001", "T002", "T003", "T004"]},
        {"end": "completed", "message": "done"},
    ]
    script = folder / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env |= {"MOONMIND_SCRIPT": str(script), "MOONMIND_SANDBOX": "docker" if docker else "bubblewrap"}
    if docker:
        engine.team.env |= docker.settings
    return Walled(engine, docker)


def test_an_agent_behind_a_wall_outlives_its_worker_and_is_found_again(walled: Walled) -> None:
    first = walled.engine.start()
    handle = walled.begin()
    at_work = walled.at_work()
    first.kill()
    walled.engine.start()
    assert walled.engine.team.handle(walled.run_id) == handle
    assert set(at_work) <= set(walled.at_work()), "the same agent is still there"
    walled.release()
    run = walled.done()
    assert attempts(walled.engine.team, run, "submit") == {1}


@pytest.mark.parametrize("killed", ["supervisor", "wall"])
@pytest.mark.in_every_run(1)
def test_nothing_is_left_of_an_agent_whose_supervisor_or_wall_is_killed(walled: Walled, killed: str) -> None:
    walled.engine.start()
    handle = walled.begin()
    at_work = [pid for pid in walled.at_work() if pid != handle["pid"]]
    assert at_work
    known = [kernel.identify(pid) for pid in at_work]
    os.kill(handle["pid"] if killed == "supervisor" else handle["agent_pid"], signal.SIGKILL)
    walled.handle(attempt=2)
    assert not any(process.alive for process in known)
    until((walled.tree / "reached").exists, "the second agent")
    walled.release()
    run = walled.done()
    assert attempts(walled.engine.team, run, "submit") == {1, 2}


def test_a_cancel_ends_what_is_behind_the_wall(walled: Walled) -> None:
    walled.engine.start()
    walled.begin()
    assert walled.engine.team.post(f"/{walled.run_id}/cancel").status_code == 202
    assert walled.engine.team.finish(walled.run_id)["status"] == "cancelled"
    assert walled.at_work() == []
    assert walled.containers() == []


@pytest.mark.docker
@pytest.mark.full
def test_another_agent_follows_one_whose_docker_engine_is_killed(
    engine: Engine, own_engine: DockerEngine, tmp_path: Path
) -> None:
    walled = prepared(engine, tmp_path, own_engine)
    engine.start()
    walled.begin()
    known = [kernel.identify(pid) for pid in walled.at_work()]
    own_engine.kill()
    until(lambda: not any(process.alive for process in known), "the end of the agent and of what ran it")
    own_engine.start()
    walled.handle(attempt=2)
    until((walled.tree / "reached").exists, "the second agent")
    walled.release()
    run = walled.done()
    assert attempts(engine.team, run, "submit") == {1, 2}
