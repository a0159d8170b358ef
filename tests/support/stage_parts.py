"""What a stage is given besides the ports, held in memory: lease, artifacts' list, stage services, the run's row."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from moonmind.db.unit_of_work import Database
from moonmind.engine.lease import HeldLease, LeaseLost
from moonmind.engine.run_artifacts import RunArtifacts
from moonmind.engine.stage_services import EarlierRun, StageServices
from moonmind.errors import MoonMindError
from moonmind.ports.artifact_store import ArtifactStore, StoredFile
from moonmind.redact import Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, Failed, RunStatus, Suspend
from moonmind.runs.records import Attempt, Claim, Run
from moonmind.sample.source import FEATURE_KEY

REPOSITORY = "acme/demo"
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class HeldByTest(HeldLease):
    """A lease that tests let go of."""

    def __init__(self) -> None:
        super().__init__(A_CLAIM, silence_seconds=math.inf)
        self.checks = 0
        self.break_after: int | None = None
        """Lose the lease at this check: a crash right before an effect."""

    def check(self) -> None:
        self.checks += 1
        if self.break_after is not None and self.checks > self.break_after:
            raise LeaseLost("lost")
        super().check()


class Listed(RunArtifacts):
    """The artifacts of a run: the real store, and the list in memory."""

    def __init__(self, run_id: UUID, store: ArtifactStore, database: Database, redactor: Redactor) -> None:
        super().__init__(run_id, store, database, redactor, HeldByTest())
        self.rows: dict[str, tuple[str, str | None]] = {}
        """Path -> type and digest."""

    def grow(self, kind: str, path: str, content_type: str) -> Path:
        self.rows[path] = (kind, None)
        return self._store.growing(self._run_id, path)

    def seal(self, path: str) -> None:
        stored = self._store.seal(self._run_id, path)
        if stored and path in self.rows:
            self.rows[path] = (self.rows[path][0], stored.digest)

    def of(self, kind: str) -> list[str]:
        return [path for path, (found, _) in self.rows.items() if found == kind]

    def _list(self, kind: str, content_type: str, stored: StoredFile) -> None:
        self.rows[stored.path] = (kind, stored.digest)


@dataclass
class MemoryServices(StageServices):
    """The few writes of a stage, in memory."""

    slots: int = 1
    earlier: EarlierRun | None = None
    refuses: MoonMindError | None = None
    refuses_workflows: MoonMindError | None = None
    audits: list[str] = field(default_factory=list)
    cooldowns: dict[str, datetime] = field(default_factory=dict)
    made: dict[UUID, list[str]] = field(default_factory=dict)
    """Run -> the commits that apply recorded for it."""
    approved: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Recipe -> the approval that apply recorded."""

    def audit_credentials(self) -> None:
        self.audits.append("audited")
        if self.refuses:
            raise self.refuses

    def check_workflows(self, named: tuple[str, ...]) -> None:
        self.audits.append(f"workflows: {', '.join(named)}")
        if self.refuses_workflows:
            raise self.refuses_workflows

    def note_refused_credential(self, error: MoonMindError, *, whose: Literal["agent", "forge"] = "forge") -> None:
        self.audits.append(f"{whose}: {error.code}")

    def take_slot(self) -> bool:
        return self.slots > 0

    def stay_here(self) -> bool:
        self.audits.append("stays here")
        return True

    def cooldown(self, name: str) -> datetime | None:
        return self.cooldowns.get(name)

    def set_cooldown(self, name: str, until: datetime, reason: str) -> None:
        self.cooldowns[name] = until

    def extend_cooldown(self, name: str, seconds: float, reason: str) -> datetime:
        self.cooldowns[name] = datetime.now(UTC) + timedelta(seconds=seconds)
        return self.cooldowns[name]

    def audit_forge(self) -> None:
        self.audits.append("forge audited")

    def commits_of(self, run_ids: Iterable[UUID]) -> frozenset[str]:
        return frozenset(commit for run_id in run_ids for commit in self.made.get(run_id, ()))

    def approval_of_recipe(self, recipe: str) -> Mapping[str, Any] | None:
        return self.approved.get(recipe)

    def earlier_run(self, feature_key: str, reached: Stage, *, kind: str | None = None) -> EarlierRun | None:
        return self.earlier


def checkpoint_of(outcome: Failed | Suspend) -> Mapping[str, Any]:
    """Return what the outcome leaves to the next attempt, which has to be something."""
    assert outcome.checkpoint is not None, outcome
    return outcome.checkpoint


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
    dispatches=0,
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
    kind="phase",
    selection=None,
    attention=None,
    started_by=None,
)
AN_ATTEMPT = Attempt(
    id=1,
    run_id=A_RUN.id,
    stage=A_RUN.stage,
    number=1,
    state=AttemptState.STARTED,
    result=None,
    checkpoint=None,
    error=None,
    operator_retry=False,
    created_at=CREATED,
    started_at=CREATED,
    finished_at=None,
)
A_CLAIM = Claim(A_RUN, AN_ATTEMPT, A_RUN.fence, "test", cancel_requested=False, deadline_passed=False)
