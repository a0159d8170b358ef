"""What we need from a sandbox: a prefix that puts a wall around a job's command, and a way to end what is behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from moonmind.ports.check import Check


class SandboxKind(StrEnum):
    """What confines a job."""

    DOCKER = "docker"
    """A container per job."""
    BUBBLEWRAP = "bubblewrap"
    """Namespaces, made by bwrap."""
    CODEX = "codex"
    """Codex's own sandbox; only for agents, and only for Codex."""
    NONE = "none"
    """Nothing."""


CHECK = "sandbox"
"""The name of the check of what confines jobs."""
MISSING = "missing"
"""A fact of that check: this host cannot build the sandbox at all, which is no fault of a setting, and no hole."""
WORKSPACE = "/workspace"
"""Where a job finds its folder, in every sandbox that has a wall."""
HOME = "/home/job"
"""Its HOME."""
ENVIRONMENT = "/environment"
"""HOME of a job that an environment is lent to, and of the build that made it."""
TEMPORARY = "/tmp"  # noqa: S108 - the job's own, in memory
"""Its TMPDIR."""
LINK = "/run/moonmind"
"""Read-only: the program that is the first process behind the wall, and the sockets to the supervisor."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""A job's search path; what an environment adds comes before it."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host that a job sees."""

    source: Path
    """Absolute. A link is resolved by the sandbox; what it names exists."""
    target: str
    """Absolute, behind the wall."""
    writable: bool = False
    upper: Path | None = None
    """Where an overlay keeps what the job writes, beside a folder `work`; the source itself then never changes. None: no overlay."""


@dataclass(frozen=True, slots=True)
class BoxedCommand:
    """A command and all that it may see. Nothing else of the host is there: no network, no process, no file."""

    mark: str
    """Names the job: `<installation>/<run>/<stage>-<attempt>`. Containers carry it as their label."""
    command: tuple[str, ...]
    """Each `{python}` in it stands for an interpreter, which the sandbox puts there."""
    environment: Mapping[str, str]
    """The whole environment behind the wall. Values may be secrets of the job: they are never put into arguments."""
    mounts: tuple[Mount, ...]
    cwd: str = WORKSPACE


PYTHON = "{python}"
"""In a boxed command: an interpreter that is behind the wall, for programs of ours that need the standard library only."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What a supervisor runs in place of the command: the prefix, and the environment of the program that builds the wall."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


class Sandbox(Protocol):
    """Builds a wall around one job's command. Nothing here starts a job: a supervisor does."""

    kind: SandboxKind
    user: tuple[int, int] | None
    """Uid and gid to which a job's writable mounts have to belong; None: the worker's own."""

    def overlays(self) -> bool:
        """Return True if a mount may have an `upper` here."""
        ...

    def wrap(self, job: BoxedCommand) -> Wrapped:
        """Return the command behind the wall. Raises SandboxFailed where the wall cannot be built on this host."""
        ...

    def end(self, mark: str) -> None:
        """End whatever still runs under the mark, once its supervisor is gone. Raises AgentUnknown when that is not certain."""
        ...

    def marks(self) -> tuple[str, ...]:
        """List the marks of this installation's jobs that run on this host whether or not a supervisor owns them."""
        ...

    def foundation(self) -> str:
        """Return what stands for the programs that jobs find there: what was built over others may not work over these.

        Raises SandboxFailed, SandboxUnavailable.
        """
        ...

    def check(self) -> tuple[Check, ...]:
        """Probe the wall: try each breach for real and name what got through. Answers are remembered while nothing changes."""
        ...
