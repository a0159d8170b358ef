"""A stage's world whose agent works behind a wall, in environments that are really built."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.environments.environment_builds import BuildOptions, EnvironmentBuilds
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState
from moonmind.ports.sandbox import SandboxKind
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Outcome, Suspend, WaitingReason
from moonmind.sample import source
from moonmind.settings import ambient_environment
from tests.support.stage_world import INSTALLATION, World
from tests.support.waiting import until
from tests.support.walled_agents import Believed
from tests.support.walls import codex_package


def believed(state: Path, installation_id: str = INSTALLATION, *, read: tuple[Path, ...] = ()) -> SandboxChoice:
    """Return the choice of bubblewrap, without its proof."""
    state.mkdir(parents=True, exist_ok=True)
    options = SandboxOptions(
        state, installation_id, "here", environment=ambient_environment(), codex_package=codex_package(), read=read
    )
    return SandboxChoice("bubblewrap", {SandboxKind.BUBBLEWRAP: Believed(options)}, NoPin())


def with_recipe(recipe: str, **files: bytes | str) -> dict[str, bytes | str]:
    """Return the sample's files with a `.moonmind.yml`, and others by name."""
    return {**source.files(), ".moonmind.yml": recipe, **files}


class EnvironmentWorld(World):
    """Its builds may be told more by `terms`, which go to `BuildOptions`."""

    def __init__(self, folder: Path, recipe: str, *, terms: Mapping[str, Any] | None = None, number: int = 1) -> None:
        self.terms = dict(terms or {})
        self.only_declared = False
        super().__init__(folder, files=with_recipe(recipe), number=number)

    def on_host(self, name: str) -> None:
        super().on_host(name)
        state = self.folder / f"host-{name}"
        sandbox = believed(state)
        self.built = EnvironmentStore(state / "environments", 1 << 30)
        environment = ambient_environment()
        self.agent = ScriptedAgent(
            AgentOptions(
                state_folder=state,
                installation_id=INSTALLATION,
                environment=environment,
                script_for=self._script_for,
                sandbox=sandbox,
                environments=self.built,
            )
        )
        options: dict[str, Any] = {"state_folder": state, "installation_id": INSTALLATION, "environment": environment}
        self.builds = EnvironmentBuilds(BuildOptions(**(options | self.terms)), self.built, sandbox)

    def context(self, stage: Stage) -> StageContext:
        made = super().context(stage)
        return replace(made, environments=self.builds, only_declared_environments=self.only_declared)

    def built_and_started(self) -> Outcome:
        """Claim submit until it no longer waits for builds."""
        outcome = self.step(Stage.SUBMIT)
        while isinstance(outcome, Suspend) and outcome.reason is WaitingReason.ENVIRONMENT:
            job = (outcome.checkpoint or {})["jobKey"]
            until(partial(self._is_over, str(job)), "the end of the build")
            outcome = self.step(Stage.SUBMIT)
        return outcome

    def _is_over(self, job: str) -> bool:
        return self.agent.poll(job).state is not JobState.RUNNING

    def drive(self, stage: Stage) -> Outcome:
        """Claim the stage until it waits neither for builds nor for its agent."""
        outcome = self.built_and_started() if stage is Stage.SUBMIT else self.step(stage)
        while isinstance(outcome, Suspend) and outcome.reason is WaitingReason.AGENT:
            self.wait_for_agent()
            outcome = self.built_and_started() if stage is Stage.SUBMIT else self.step(stage)
        return outcome
