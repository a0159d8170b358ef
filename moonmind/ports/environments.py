"""What we need of environments: each is built once per key, as a job of its own, and then lent to the jobs of runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from moonmind.proof.environments.environment_value import Environment


class BuildState(StrEnum):
    """Where an environment stands on this host."""

    ABSENT = "absent"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"
    """Its last build failed; another may be started."""


@dataclass(frozen=True, slots=True)
class EnvironmentOrder:
    """All that a build needs, and that decides whether one that was built before fits."""

    repository: str
    environment: Environment
    key_files: Mapping[str, bytes]
    """What stands for the content of its key files, by path: their object ids."""
    check_out: Callable[[Path], None]
    """Writes the repository's files to a folder, which is not there yet."""
    run: str = ""
    """The id of the one run that it is for; empty: for every run of the repository."""


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """What is known of an environment on this host."""

    key: str
    state: BuildState
    job: str | None = None
    """The key of the job that builds it, or built it last; with `ABSENT`, of one that has to end before this can begin."""
    message: str = ""
    """Why it failed: the build's last lines, redacted."""
    log: Path | None = None
    """What the build printed so far, redacted."""
    seconds: float = 0.0
    """How long the build took."""
    size: int = 0
    """Bytes on the disk."""
    failed_at: datetime | None = None
    by_sandbox: bool = False
    """It failed because the sandbox was not there or ended under it: another build may go well."""


@dataclass(frozen=True, slots=True)
class WorkEnvironment:
    """An environment that is ready, and that a job is to work in."""

    key: str
    start: tuple[str, ...] = ()
    """What starts its services, as the recipe says now."""


@dataclass(frozen=True, slots=True)
class KnownEnvironment:
    """An environment that is on this host, or is being built there."""

    key: str
    state: BuildState
    repository: str
    environment: Environment
    run: str = ""
    """The id of the one run that it is for; empty: for every run of the repository."""
    begun_at: datetime | None = None
    """When its build began, while it is being built."""
    built_at: datetime | None = None
    used_at: datetime | None = None
    """When it was lent last, or built."""
    lent_to: tuple[str, ...] = ()
    """Keys of the jobs that work in it, or are about to."""
    seconds: float = 0.0
    size: int = 0


class Environments(Protocol):
    """The environments of this installation on this host. All calls are quick: builds are jobs of their own."""

    def why_not(self) -> str | None:
        """Return why nothing is built here: jobs are behind no wall; None where they are.

        Raises SandboxFailed, SandboxUnavailable.
        """
        ...

    def takes_images(self) -> bool:
        """Return True if jobs run in the image that a recipe names; whether it holds is not asked here."""
        ...

    def hosts(self, environment: Environment) -> tuple[str, ...]:
        """List the hosts that its build may reach."""
        ...

    def key(self, order: EnvironmentOrder) -> str | None:
        """Return the name of what the order asks for; None where jobs are behind no wall, and nothing is built.

        Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable.
        """
        ...

    def look(self, key: str) -> EnvironmentStatus:
        """Return where it stands. Raises AgentUnknown where that cannot be seen."""
        ...

    def build(self, order: EnvironmentOrder) -> EnvironmentStatus:
        """Start a build unless one is running, or it is there.

        `ABSENT` comes back where as many jobs run on this host as may. Raises MoonMindError where it cannot be started.
        """
        ...

    def known(self) -> tuple[KnownEnvironment, ...]:
        """List what is there and what is being built, by repository and root. Raises AgentUnknown."""
        ...

    def remove(self, key: str) -> bool:
        """Stop its build, and remove it unless it is lent to a job that runs; return True if it is gone.

        Raises AgentUnknown.
        """
        ...
