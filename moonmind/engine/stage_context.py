"""What a stage is given: the run as claimed, what came before, and the ports."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeVar
from uuid import UUID

from moonmind.errors import ErrorInfo, MoonMindError, Unexpected
from moonmind.ports.agent import Agent, JobLimits
from moonmind.ports.forge import Forge
from moonmind.ports.scanner import Scanner
from moonmind.ports.vcs import Vcs
from moonmind.redact import Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.records import Attempt, Run

T = TypeVar("T")


class LeaseLost(MoonMindError):
    """The claim is no longer ours: another worker may have the run, so nothing more is done or written."""

    code = "lease_lost"


class StopRequested(MoonMindError):
    """The run was cancelled, or its deadline passed, while the stage worked.

    `details["outside"]` says in a sentence what there is of the stage's work already, where there is something.
    """

    code = "stop_requested"


class Lease(Protocol):
    """The claim's heartbeat, as a stage sees it."""

    def check(self) -> None:
        """Raise LeaseLost or StopRequested; called right before every effect outside."""
        ...


class Artifacts(Protocol):
    """The run's artifacts: file and row together."""

    def save(self, kind: str, path: str, content: bytes, content_type: str) -> str:
        """Store a file under the run's folder, known secrets masked, and list it; returns its digest `sha256:<hex>`."""
        ...

    def hide(self, path: str, content: bytes) -> None:
        """Keep a file for the run itself: not listed, not served, readable by the service's user only."""
        ...

    def hidden(self, path: str) -> bytes | None:
        """Read what was kept by `hide`, None where there is none."""
        ...

    def grow(self, kind: str, path: str, content_type: str) -> Path:
        """List a file that another process appends to, and give its local path."""
        ...

    def keep(self, kind: str, path: str, content_type: str, write: Callable[[BinaryIO], T]) -> T:
        """Store what `write` writes, whole and readable by its owner alone, and list it; returns what `write` returns."""
        ...

    def seal(self, path: str) -> None:
        """Record size and digest of a file that has stopped growing."""
        ...

    def read(self, path: str) -> bytes:
        """Read a stored file whole; raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The feature's last other run that reached a stage: what it was given, and what its stages recorded."""

    id: UUID
    notes: str | None
    results: Mapping[Stage, Mapping[str, Any]]
    error: ErrorInfo | None
    """How that stage ended without a result."""


class Office(Protocol):
    """The few further writes and reads a stage may make while it works."""

    def audit_credentials(self) -> None:
        """Probe all that a run needs, store the audit row; raises CredentialInvalid with the failing check."""
        ...

    def check_workflows(self, named: tuple[str, ...]) -> None:
        """Probe whether the token may change these workflows and store the answer; raises CredentialInvalid."""
        ...

    def note_refused_credential(self, error: MoonMindError, *, whose: Literal["agent", "forge"] = "forge") -> None:
        """Store in the audit row that a service refused its credential while a stage used it."""
        ...

    def take_slot(self) -> bool:
        """Take one of this host's agent slots for the run (fenced, repeatable); False when all are taken."""
        ...

    def gate(self, name: str) -> datetime | None:
        """Return the time at which a closed gate opens again; None when it is open."""
        ...

    def close_gate(self, name: str, until: datetime, reason: str) -> None:
        """Close a gate for every run of the installation: a quota that names its end."""
        ...

    def pause(self, name: str, seconds: float, reason: str) -> datetime:
        """Close a gate for so many seconds of the database's clock, and give the time at which it opens."""
        ...

    def audit_forge(self) -> None:
        """Probe the forge's credential and store the answer in the audit row; refuses nothing."""
        ...

    def commits_of(self, run_ids: Iterable[UUID]) -> frozenset[str]:
        """Return the commits that these runs made, as far as this installation knows them."""
        ...

    def earlier_run(self, feature_key: str, reached: Stage) -> EarlierRun | None:
        """Return the feature's last other run that reached that stage, whatever came of it there."""
        ...


@dataclass(frozen=True, slots=True)
class StageContext:
    """What one claim works with. `results` are those of earlier stages; `checkpoint` is what this stage left before."""

    run: Run
    attempt: Attempt
    results: Mapping[Stage, Mapping[str, Any]]
    checkpoint: Mapping[str, Any]
    """Of this attempt if it was suspended, else of the attempt before it; empty at first."""
    note: str | None
    """Why the run was sent back here (Redo), for the agent's next prompt."""
    lease: Lease
    artifacts: Artifacts
    services: Office
    agent: Agent
    forge: Forge
    vcs: Vcs
    redactor: Redactor
    scanner: Scanner
    limits: JobLimits
    relook_seconds: float
    """How long a run parked on its agent sleeps at most."""

    def result_of(self, stage: Stage) -> Mapping[str, Any]:
        """Return an earlier stage's result; raises Unexpected where there is none (a broken row)."""
        try:
            return self.results[stage]
        except KeyError:
            raise Unexpected(f"the run has no recorded result of {stage}", stage=stage.value) from None
