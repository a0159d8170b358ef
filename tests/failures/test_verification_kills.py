"""Kill what runs the tests of a change, wherever it hurts: the run goes on, nothing is left, one pull request."""

import json
import os
import signal
from contextlib import suppress
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
RECIPE = {
    "environment": {},
    "verify": [{"name": "slow", "run": "touch reached; while [ ! -e go ]; do sleep 0.05; done", "timeout": 120}],
}
STEPS = [
    {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
    {"claim": ["T001", "T002", "T003", "T004"]},
    {"end": "completed", "message": "done"},
]


class Verifying:
    """A run whose tests are at work until they are let go."""

    def __init__(self, engine: Engine, *, docker: DockerEngine | None) -> None:
        self.engine = engine
        self.docker = docker
        self.run_id = ""

    def begin(self) -> dict[str, Any]:
        """Start a run, and return the handle of the job that runs the tests on the change, once these are at work."""
        self.run_id = self.engine.team.create()
        waits = self.engine.team.await_run
        waits(self.run_id, lambda run: (run.get("waiting") or {}).get("reason") == "verification", "the wait")
        return self.at_work("verify-1-after-1")

    def at_work(self, job: str) -> dict[str, Any]:
        """Return the handle of a job, once its command works."""

        def handle() -> dict[str, Any] | None:
            found = self.engine.team.state / "jobs" / self.run_id / job / "handle.json"
            working = self.trees / job / "tree/reached"
            return json.loads(found.read_bytes()) if found.exists() and working.exists() else None

        return until(handle, f"the job {job}", 60)

    @property
    def trees(self) -> Path:
        return self.engine.team.state / "homes" / self.run_id / "tests"

    def published(self) -> None:
        """Let all tests go, and wait for the pull request; nothing of the jobs is left."""

        def ended() -> bool:
            for tree in self.trees.glob("verify-*/tree"):
                with suppress(FileNotFoundError):  # what has ended is removed meanwhile
                    (tree / "go").touch()
            return bool(self.engine.team.show(self.run_id)["status"] not in {"pending", "running", "retrying"})

        until(ended, "the end of the run", 120)
        run = self.engine.team.succeed(self.run_id)
        assert_published_once(self.engine.team, run)
        self.nothing_is_left()

    def nothing_is_left(self) -> None:
        until(lambda: not self.processes(), "the end of all processes")
        assert not list(self.trees.glob("*"))
        until(lambda: self.containers() == [], "the end of all containers")

    def processes(self) -> list[int]:
        """List the processes of the run's tests, behind the wall or before it."""
        return marked_with(f"{self.run_id}/verify-")

    def containers(self) -> list[str]:
        marks = self.docker.docker("ps", "--all", "--format", '{{.Label "moonmind.job"}}') if self.docker else ""
        return [mark for mark in marks.splitlines() if f"{self.run_id}/verify-" in mark]


@pytest.fixture(params=WALLS)
def verifying(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Verifying:
    docker = request.getfixturevalue("docker_engine") if request.param == "docker" else None
    if docker is None:
        require_walls()
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": STEPS}))
    engine.team.env |= {
        "MOONMIND_SCRIPT": str(script),
        "MOONMIND_SANDBOX": request.param,
        "MOONMIND_VERIFICATION": "auto",
    }
    if docker is not None:
        engine.team.env |= docker.settings
    git_repos.make_bare(engine.team.bare(), {**source.files(), ".moonmind.yml": json.dumps(RECIPE)})
    return Verifying(engine, docker=docker)


def test_tests_outlive_their_worker_and_are_waited_for_again(verifying: Verifying) -> None:
    first = verifying.engine.start()
    handle = verifying.begin()
    first.kill()
    verifying.engine.start()
    assert kernel.Process(handle["pid"], handle["started"]).alive
    assert verifying.at_work("verify-1-after-1") == handle
    assert not list(verifying.trees.glob("*.2"))
    verifying.published()


def test_tests_whose_supervisor_is_killed_are_run_again(verifying: Verifying) -> None:
    verifying.engine.start()
    handle = verifying.begin()
    os.kill(handle["pid"], signal.SIGKILL)
    assert verifying.at_work("verify-1-after-1.2") != handle
    assert not kernel.Process(handle["agent_pid"], handle["agent_started"]).alive
    verifying.published()


@pytest.mark.full
def test_a_cancel_ends_the_tests(verifying: Verifying) -> None:
    verifying.engine.start()
    verifying.begin()
    assert verifying.engine.team.post(f"/{verifying.run_id}/cancel").status_code == 202
    assert verifying.engine.team.finish(verifying.run_id)["status"] == "cancelled"
    verifying.nothing_is_left()
