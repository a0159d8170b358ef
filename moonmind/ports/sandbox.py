"""What stands between an agent and its host."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from moonmind.ports.check import Check


class Sandbox(Protocol):
    """Turns the command of an agent into one that is confined. Raises SandboxError."""

    name: str

    def check(self) -> tuple[Check, ...]:
        """Probe that the confinement holds here."""
        ...

    def wrap(self, argv: Sequence[str], *, workspace: Path, writable: Sequence[Path]) -> tuple[str, ...]:
        """Give the command line that runs `argv` confined to the workspace and the writable folders."""
        ...
