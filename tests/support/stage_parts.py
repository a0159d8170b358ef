"""What a stage is given besides the ports, held in memory: lease, artifacts' list, office, the run's row."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.run_artifacts import T, write_whole
from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import MoonMindError, NotFound
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run
from moonmind.sample.source import FEATURE_KEY

REPOSITORY = "acme/demo"
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(slots=True)
class HeldByTest:
    """A lease that tests let go of."""

    lost: bool = False
    stopped: bool = False
    checks: int = 0
    break_after: int | None = None
    """Lose the lease at this check: a crash right before an effect."""

    def check(self) -> None:
        self.checks += 1
        if self.lost or (self.break_after is not None and self.checks > self.break_after):
            raise LeaseLost("lost")
        if self.stopped:
            raise StopRequested("stopped")


@dataclass(slots=True)
class Listed:
    """The artifacts of a run: the real store, and the list in memory."""

    run_id: UUID
    store: ArtifactStore
    rows: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Path -> type and digest."""
    lease: HeldByTest = field(default_factory=HeldByTest)

    def save(self, kind: str, path: str, content: bytes, content_type: str) -> str:
        with contextlib.suppress(StopRequested):
            self.lease.check()
        stored = self.store.put(self.run_id, path, content)
        self.rows[path] = (kind, stored.digest)
        return stored.digest

    def hide(self, path: str, content: bytes) -> None:
        self.store.put(self.run_id, f"private/{path}", content)

    def hidden(self, path: str) -> bytes | None:
        try:
            return self.read(f"private/{path}")
        except NotFound:
            return None

    def grow(self, kind: str, path: str, content_type: str) -> Path:
        self.rows[path] = (kind, None)
        return self.store.growing(self.run_id, path)

    def keep(self, kind: str, path: str, content_type: str, write: Callable[[BinaryIO], T]) -> T:
        written = write_whole(self.store.growing(self.run_id, path), write)
        stored = self.store.seal(self.run_id, path)
        self.rows[path] = (kind, stored.digest if stored else None)
        return written

    def seal(self, path: str) -> None:
        stored = self.store.seal(self.run_id, path)
        if stored and path in self.rows:
            self.rows[path] = (self.rows[path][0], stored.digest)

    def read(self, path: str) -> bytes:
        return b"".join(self.store.read(self.run_id, path))

    def of(self, kind: str) -> list[str]:
        return [path for path, (found, _) in self.rows.items() if found == kind]


@dataclass(slots=True)
class Desk:
    """The few writes of a stage, in memory."""

    slots: int = 1
    earlier: EarlierRun | None = None
    refuses: MoonMindError | None = None
    refuses_workflows: MoonMindError | None = None
    audits: list[str] = field(default_factory=list)
    gates: dict[str, datetime] = field(default_factory=dict)
    made: dict[UUID, list[str]] = field(default_factory=dict)
    """Run -> the commits that apply recorded for it."""

    def audit_credentials(self) -> None:
        self.audits.append("audited")
        if self.refuses:
            raise self.refuses

    def check_workflows(self, named: tuple[str, ...]) -> None:
        self.audits.append(f"workflows: {', '.join(named)}")
        if self.refuses_workflows:
            raise self.refuses_workflows

    def note_refused_credential(self, error: MoonMindError, *, whose: str = "forge") -> None:
        self.audits.append(f"{whose}: {error.code}")

    def take_slot(self) -> bool:
        return self.slots > 0

    def gate(self, name: str) -> datetime | None:
        return self.gates.get(name)

    def close_gate(self, name: str, until: datetime, reason: str) -> None:
        self.gates[name] = until

    def pause(self, name: str, seconds: float, reason: str) -> datetime:
        self.gates[name] = datetime.now(UTC) + timedelta(seconds=seconds)
        return self.gates[name]

    def audit_forge(self) -> None:
        self.audits.append("forge audited")

    def commits_of(self, run_ids: Iterable[UUID]) -> frozenset[str]:
        return frozenset(commit for run_id in run_ids for commit in self.made.get(run_id, ()))

    def earlier_run(self, feature_key: str, reached: Stage) -> EarlierRun | None:
        return self.earlier


A_RUN = Run(
    id=UUID(int=1),
    repository=REPOSITORY,
    repository_key=REPOSITORY,
    requested_key=FEATURE_KEY,
    feature_key=None,
    status=RunStatus.RUNNING,
    stage=Stage.DISCOVER,
    fence=1,
    lease_owner="test",
    lease_until=CREATED + timedelta(minutes=1),
    not_before=CREATED,
    dispatch_after=CREATED,
    hints=0,
    waiting_reason=None,
    waiting_since=None,
    errors=0,
    crashes=0,
    rounds=0,
    deadline=CREATED + timedelta(days=1),
    cancel_requested_at=None,
    agent_host=None,
    event_seq=1,
    chain_id=UUID(int=9),
    notes=None,
    idempotency_key=None,
    request_digest=None,
    phase=None,
    branch=None,
    pull_request_url=None,
    codex_task_id=None,
    codex_logs_path=None,
    usage=None,
    reason=None,
    error=None,
    job_key=None,
    created_at=CREATED,
    updated_at=CREATED,
    completed_at=None,
    pruned_at=None,
)
