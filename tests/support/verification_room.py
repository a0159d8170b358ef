"""The test jobs of one host for real: without a wall, behind bubblewrap, or in containers."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.ports.agent import JobState
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import SandboxKind
from moonmind.ports.verification import TestJob, TestJobResult
from moonmind.runs import naming
from moonmind.settings import ambient_environment
from tests.support.docker_engine import DockerEngine
from tests.support.environment_world import believed
from tests.support.processes import marked_with
from tests.support.stage_world import INSTALLATION
from tests.support.waiting import until
from tests.support.walled_agents import Believed


class Room:
    """The test jobs of one host, and what was started there. `more` goes to the options of the jobs."""

    def __init__(self, folder: Path, kind: str, engine: DockerEngine | None = None, **more: Any) -> None:
        self.state = folder / "state"
        self.run = uuid4()
        self.number = 0
        self.engine = engine
        processes = {"processes": more["processes"]} if "processes" in more else {}
        sandbox = in_containers(self.state, engine, **processes) if engine else _CHOICES[kind](self.state)
        options = TestJobOptions(self.state, INSTALLATION, ambient_environment(), unwalled=kind == "none", **more)
        self.jobs = SupervisedTestJobs(options, EnvironmentStore(self.state / "environments", 1 << 30), sandbox)

    def start(self, run: str, tree: Mapping[str, str] | None = None, **more: Any) -> str:
        self.number += 1
        key = naming.test_key(self.run, 1, f"after-{self.number}")
        job = TestJob(key, partial(write, tree or {}), run, **{"seconds": 60.0, **more})
        assert self.jobs.start(job) is None
        return key

    def ended(self, run: str, tree: Mapping[str, str] | None = None, **more: Any) -> TestJobResult:
        key = self.start(run, tree, **more)
        patience = 60.0 + float(more.get("seconds", 60.0))
        until(lambda: self.jobs.state(key) is not JobState.RUNNING, "the end of the job", patience)
        found = self.jobs.result(key)
        assert found is not None
        return found

    @property
    def trees(self) -> Path:
        return self.state / "homes" / str(self.run) / "tests"

    def processes(self) -> list[int]:
        """List the processes of the jobs, behind the wall or before it."""
        return marked_with(f"{self.run}/verify-")

    def nothing_is_left(self) -> None:
        """Stop what there is, and look for processes, containers and files of the jobs."""
        self.jobs.stop(self.run)
        assert self.processes() == []
        assert self.containers() == []
        assert list(self.trees.iterdir()) == []
        assert list(self.state.glob("jobs/*/*/tmp/*")) == []

    def containers(self) -> list[str]:
        """List the containers of the jobs, whatever their state."""
        marks = self.engine.docker("ps", "--all", "--format", '{{.Label "moonmind.job"}}') if self.engine else ""
        return [mark for mark in marks.splitlines() if str(self.run) in mark]


def unwalled(state: Path) -> SandboxChoice:
    """Return the choice of no wall."""
    options = SandboxOptions(state, INSTALLATION, "here", environment=ambient_environment())
    return SandboxChoice("none", {SandboxKind.BUBBLEWRAP: Believed(options)}, NoPin())


class _BelievedDocker(Docker):
    def check(self) -> tuple[Check, ...]:
        return (Check("sandbox", CheckStatus.PASSED, "believed"),)


def in_containers(state: Path, engine: DockerEngine, **more: Any) -> SandboxChoice:
    """Return the choice of containers, without their proof."""
    options = SandboxOptions(state, INSTALLATION, "here", environment=engine.environment, image=engine.image, **more)
    return SandboxChoice("docker", {SandboxKind.DOCKER: _BelievedDocker(options)}, NoPin())


_CHOICES = {"none": unwalled, "bubblewrap": believed}


def write(tree: Mapping[str, str], folder: Path) -> None:
    """Check a tree out."""
    folder.mkdir()
    for path, content in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def printed(result: TestJobResult) -> str:
    """Return what a job printed."""
    assert result.log is not None
    return result.log.read_text()
