"""Kill what builds an environment, wherever it hurts: one build, nothing left, one pull request."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.supervisor import kernel
from moonmind.sample import source
from tests.support import git_repos
from tests.support.docker_engine import DockerEngine
from tests.support.engines import Engine, assert_published_once
from tests.support.plain_wall import require_walls
from tests.support.processes import marked_with
from tests.support.waiting import until

WALLS = ["bubblewrap", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.full])]
SETUP = "touch $HOME/reached; while [ ! -e go ]; do sleep 0.05; done; mkdir -p .venv/bin; echo made > .venv/pyvenv.cfg"
STEPS = [
    {"exec": "cat .venv/pyvenv.cfg"},
    {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
    {"claim": ["T001", "T002", "T003", "T004"]},
    {"end": "completed", "message": "done"},
]


@dataclass
class Building:
    """A run that waits for its environment."""

    engine: Engine
    docker: DockerEngine | None
    run_id: str = ""

    def begin(self) -> dict[str, Any]:
        """Start a run and return the handle of the build that it waits for, which is at work by then."""
        self.run_id = self.engine.team.create()
        reached = self.engine.team.await_run
        reached(self.run_id, lambda run: (run.get("waiting") or {}).get("reason") == "environment", "the wait")
        return self.at_work(1)

    def at_work(self, number: int) -> dict[str, Any]:
        """Return the handle of the n-th build, once its command works."""

        def handle() -> dict[str, Any] | None:
            found = list((self.engine.team.state / "jobs/env").glob(f"*-{number}/handle.json"))
            working = list((self.engine.team.state / "environments").glob("*.building/home/reached"))
            return json.loads(found[0].read_bytes()) if found and working else None

        return until(handle, f"build {number}", 60)

    def release(self) -> None:
        (place,) = (self.engine.team.state / "environments").glob("*.building/workspace")
        (place / "go").touch()

    def key(self) -> str:
        """Return what names the environment that is built, and the jobs that build it."""
        (key,) = {path.name.partition(".")[0] for path in (self.engine.team.state / "environments").glob("v?-*")}
        return key

    def processes(self) -> list[int]:
        """List the processes of builds, behind the wall or before it."""
        return marked_with(self.key())

    def containers(self) -> list[str]:
        """List the containers of builds, whatever their state."""
        marks = self.docker.docker("ps", "--all", "--format", '{{.Label "moonmind.job"}}') if self.docker else ""
        return [mark for mark in marks.splitlines() if self.key() in mark]

    def done(self, run_id: str) -> None:
        run = self.engine.team.succeed(run_id)
        assert_published_once(self.engine.team, run)
        until(lambda: self.processes() == [], "the end of all processes")
        until(lambda: self.containers() == [], "the end of all containers")
        (place,) = (self.engine.team.state / "environments").glob("v?-*")
        assert (place / "environment.json").is_file(), "one environment, and nothing beside it"


@pytest.fixture(params=WALLS)
def building(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Building:
    if request.param == "bubblewrap":
        require_walls()
    return prepared(engine, tmp_path, request.getfixturevalue("docker_engine") if request.param == "docker" else None)


def prepared(engine: Engine, folder: Path, docker: DockerEngine | None) -> Building:
    script = folder / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": STEPS}))
    engine.team.env |= {"MOONMIND_SCRIPT": str(script), "MOONMIND_SANDBOX": "docker" if docker else "bubblewrap"}
    if docker:
        engine.team.env |= docker.settings
    recipe = json.dumps({"environment": {"setup": SETUP}})
    git_repos.make_bare(engine.team.bare(), {**source.files(), ".moonmind.yml": recipe})
    return Building(engine, docker)


def test_a_build_outlives_its_worker_and_is_waited_for_again(building: Building) -> None:
    first = building.engine.start()
    handle = building.begin()
    first.kill()
    building.engine.start()
    assert building.at_work(1) == handle
    assert kernel.Process(handle["pid"], handle["started"]).alive
    building.release()
    building.done(building.run_id)
    assert [path.name[-2:] for path in (building.engine.team.state / "jobs/env").iterdir()] == ["-1"]


@pytest.mark.parametrize("killed", ["supervisor", pytest.param("wall", marks=pytest.mark.full)])
def test_another_build_follows_one_whose_supervisor_or_wall_is_killed(building: Building, killed: str) -> None:
    building.engine.start()
    handle = building.begin()
    known = [kernel.identify(pid) for pid in building.processes() if pid != handle["pid"]]
    assert known
    os.kill(handle["pid"] if killed == "supervisor" else handle["agent_pid"], signal.SIGKILL)
    building.at_work(2)
    assert not any(process.alive for process in known)
    building.release()
    building.done(building.run_id)


@pytest.mark.full
def test_a_cancel_leaves_the_build_to_the_next_run(building: Building) -> None:
    building.engine.start()
    handle = building.begin()
    assert building.engine.team.post(f"/{building.run_id}/cancel").status_code == 202
    assert building.engine.team.finish(building.run_id)["status"] == "cancelled"
    assert kernel.Process(handle["pid"], handle["started"]).alive
    again = building.engine.team.create()
    reached = building.engine.team.await_run
    reached(again, lambda run: (run.get("waiting") or {}).get("reason") == "environment", "the wait")
    building.release()
    building.done(again)
    assert [path.name[-2:] for path in (building.engine.team.state / "jobs/env").iterdir()] == ["-1"]


@pytest.mark.docker
@pytest.mark.full
def test_another_build_follows_one_whose_docker_engine_is_killed(
    engine: Engine, own_engine: DockerEngine, tmp_path: Path
) -> None:
    building = prepared(engine, tmp_path, own_engine)
    engine.start()
    handle = building.begin()
    known = [kernel.identify(pid) for pid in building.processes()]
    own_engine.kill()
    until(lambda: not kernel.Process(handle["pid"], handle["started"]).alive, "the end of the build's supervisor")
    own_engine.start()
    building.at_work(2)
    assert not any(process.alive for process in known)
    building.release()
    building.done(building.run_id)
