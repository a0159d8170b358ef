"""Rows as the rest of the program sees them: frozen, typed, no SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from moonmind.errors import ErrorInfo
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.kinds import PHASE
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is created from."""

    id: UUID
    repository: str
    requested_key: str
    stage: Stage
    chain_id: UUID
    deadline_seconds: float
    notes: str | None = None
    selection: Mapping[str, Any] | None = None
    """What was chosen among the open tasks, as it was sent; None: all."""
    kind: str = PHASE
    idempotency_key: str | None = None
    request_digest: str | None = None
    results: Mapping[Stage, Mapping[str, Any]] | None = None
    """With a forced later stage: the results that the skipped stages are recorded with."""
    feature_key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the run that those results tell already."""
    started_by: str | None = None
    """Who asks for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One `SpecWorkflowRun`."""

    id: UUID
    repository: str
    repository_key: str
    requested_key: str
    feature_key: str | None
    status: RunStatus
    stage: Stage
    fence: int
    lease_owner: str | None
    lease_until: datetime | None
    not_before: datetime
    dispatch_after: datetime | None
    dispatches: int
    waiting_reason: WaitingReason | None
    waiting_since: datetime | None
    errors: int
    crashes: int
    rounds: int
    deadline: datetime
    cancel_requested_at: datetime | None
    agent_host: UUID | None
    event_seq: int
    chain_id: UUID
    notes: str | None
    idempotency_key: str | None
    request_digest: str | None
    phase: str | None
    branch: str | None
    pull_request_url: str | None
    codex_task_id: str | None
    codex_logs_path: str | None
    usage: Mapping[str, Any] | None
    reason: str | None
    """Why there was no work, in words."""
    error: ErrorInfo | None
    job_key: str | None
    """The job that the run waits for, so that the job poller finds it without reading attempts."""
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    pruned_at: datetime | None
    """When retention removed the run's files."""
    kind: str
    """`phase`, or `ticks`: a run that only corrects boxes, without an agent."""
    selection: Mapping[str, Any] | None
    """What the request chose among the open tasks, as it was sent; None: all."""
    attention: Mapping[str, Any] | None
    """What a person is asked, and the answer once there is one, until the stage that asked ends."""
    started_by: str | None
    """Who asked for the run: an OS user, or the name of a token."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one stage."""

    id: int
    run_id: UUID
    stage: Stage
    number: int
    """From 1, per run and stage."""
    state: AttemptState
    result: Mapping[str, Any] | None
    """What later stages read; None unless the attempt succeeded."""
    checkpoint: Mapping[str, Any] | None
    """What the attempt, or the one after it, resumes from."""
    error: ErrorInfo | None
    operator_retry: bool
    """Opened by an operator's retry; listed as a row of its own."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    note: str | None = None
    """Why the run was sent back here (Redo), for the agent's next prompt."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one stage: everything written under it names its fence."""

    run: Run
    attempt: Attempt
    fence: int
    owner: str
    cancel_requested: bool
    deadline_passed: bool
    again: bool = False
    """The stage was claimed before: an earlier claim may have come any far with it."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat brings back."""

    cancel_requested: bool
    deadline_passed: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One transition."""

    id: int
    run_id: UUID
    seq: int
    type: EventType
    stage: Stage | None
    data: Mapping[str, Any]
    created_at: datetime
    actor: str | None = None
    """Who asked for it; None: nobody did, the program went on by itself."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a run left; size and digest are None while it grows."""

    run_id: UUID
    type: str
    path: str
    content_type: str
    size: int | None
    digest: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CredentialAudit:
    """What was found of the credentials before an agent was started."""

    run_id: UUID
    codex_status: str
    codex_message: str
    codex_checked_at: datetime | None
    github_status: str
    github_message: str
    github_checked_at: datetime | None
    snapshot: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a listing shows."""

    status: RunStatus | None = None
    repository: str | None = None
    feature_key: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that runs agents; it is silent when `seen_at` grows old."""

    id: UUID
    name: str
    registered_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A time until which a service is not asked: a credential's quota, a forge's rate limit."""

    name: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A named token of the API, without its text, which is not stored."""

    name: str
    read_only: bool
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    expired: bool
    """True once `expires_at` has come, by the database's clock."""
