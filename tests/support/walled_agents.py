"""Agents behind a wall, for the same promises as without one."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_program import codex_program
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import WORKSPACE, Sandbox, SandboxKind
from tests.support.agents import CodexScene, Scene, ScriptedScene, codex_binary


class Believed(Bubblewrap):
    """The wall, without its proof, which has tests of its own."""

    def check(self) -> tuple[Check, ...]:
        return (Check("sandbox", CheckStatus.PASSED, "believed"),)


def sandbox_options(scene: Scene) -> SandboxOptions:
    binary = codex_binary()
    return SandboxOptions(
        state_folder=scene.state,
        installation_id=scene.installation_id,
        host_id="here",
        environment=dict(os.environ),
        codex_package=codex_program(binary).package if binary is not None else None,
    )


def behind(options: AgentOptions, wall: Sandbox) -> AgentOptions:
    return replace(options, sandbox=SandboxChoice(wall.kind, {wall.kind: wall}, NoPin()))


class ScriptedBehindBubblewrap(ScriptedScene):
    kind = SandboxKind.BUBBLEWRAP

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go = self.workspace / "go"

    def options(self) -> AgentOptions:
        return behind(super().options(), Believed(sandbox_options(self)))

    def _steps(self, play: str) -> list[dict[str, Any]]:
        steps = super()._steps(play)
        return [{"wait_for": f"{WORKSPACE}/go"} if "wait_for" in step else step for step in steps]


class CodexBehindBubblewrap(CodexScene):
    kind = SandboxKind.BUBBLEWRAP

    def options(self) -> AgentOptions:
        return behind(super().options(), Believed(sandbox_options(self)))
