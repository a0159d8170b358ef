"""What the API asks of the engine, so that routes name their needs and tests can hand in a double."""

from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

from moonmind import wire
from moonmind.ports.check import Check
from moonmind.redact import Redactor
from moonmind.settings import Settings


class ArtifactContent(Protocol):
    """An artifact opened for reading, whole or in part."""

    @property
    def content_type(self) -> str:
        """As it was stored; what is sent is decided here."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the whole file, now."""
        ...

    @property
    def growing(self) -> bool:
        """Return True if the artifact may still grow."""
        ...

    @property
    def chunks(self) -> Iterator[bytes]:
        """The bytes asked for; nothing is read before the first is taken."""
        ...


class RunService(Protocol):
    """Create, look at, retry and cancel runs: `moonmind.services.run_service`."""

    def create(self, body: wire.CreateRun, *, idempotency_key: str | None = None) -> wire.SpecWorkflowRun:
        """Accept a run."""
        ...

    def get(self, run_id: UUID) -> wire.SpecWorkflowRun:
        """Show a run whole."""
        ...

    def page(
        self,
        *,
        status: str | None = None,
        repository: str | None = None,
        feature_key: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> wire.RunPage:
        """List runs, newest first."""
        ...

    def tasks(self, run_id: UUID, *, every_attempt: bool = False) -> list[wire.WorkflowTaskState]:
        """List a run's tasks."""
        ...

    def artifacts(self, run_id: UUID) -> list[wire.WorkflowArtifact]:
        """List the files that a run left."""
        ...

    def open_artifact(self, run_id: UUID, path: str, *, start: int = 0, length: int | None = None) -> ArtifactContent:
        """Open an artifact, or a range of it."""
        ...

    def retry(self, run_id: UUID, body: wire.RetryRun) -> wire.SpecWorkflowRun:
        """Start an ended run again."""
        ...

    def cancel(self, run_id: UUID) -> wire.SpecWorkflowRun:
        """Ask a run to stop."""
        ...

    def events(self, run_id: UUID | None, *, after: int = 0, limit: int = 100) -> list[wire.RunEvent]:
        """List what happened after a position: a run's own `seq`, or the global id when no run is named."""
        ...

    def last_event_id(self) -> int:
        """Return the id of the newest event of any run: a stream from there on sends only what happens next."""
        ...


class Container(Protocol):
    """The process's parts, as `moonmind.bootstrap` wires them."""

    @property
    def settings(self) -> Settings:
        """The settings it was built from."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Knows the secrets of this process."""
        ...

    @property
    def runs(self) -> RunService:
        """The one service behind every route."""
        ...

    def open(self) -> None:
        """Start what runs in the background."""
        ...

    def close(self) -> None:
        """Stop it again."""
        ...

    def ready(self) -> Sequence[Check]:
        """Probe what taking and moving runs needs."""
        ...
