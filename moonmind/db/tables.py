"""The tables. Every row of `run` is terminal, leased (the lease ends) or dispatchable: none can stick."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    case,
    literal_column,
)

from moonmind.db.types import Json, Problem, Prose, RowId, Timestamp, Word
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import ACTIVE, TERMINAL, AttemptState, RunStatus, WaitingReason

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ONE_REQUEST = "uq_run_active_request"
ONE_FEATURE = "uq_run_active_feature"
ONE_IDEMPOTENCY_KEY = "uq_run_idempotency_key"


def _listed(words: frozenset[RunStatus]) -> str:
    return ", ".join(f"'{word.value}'" for word in sorted(words))


installation = Table(
    "installation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", Timestamp, nullable=False),
    Column("sandbox", Text),
)

host = Table(
    "host",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Prose, nullable=False),
    Column("enrolled_at", Timestamp, key="registered_at", nullable=False),
    Column("seen_at", Timestamp, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("repository", Text, nullable=False),
    Column("repository_key", Text, nullable=False),
    Column("requested_key", Text, nullable=False, server_default=""),
    Column("feature_key", Text),
    Column("status", Word(RunStatus), nullable=False),
    Column("stage", Word(Stage), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Timestamp),
    Column("not_before", Timestamp, nullable=False),
    Column("dispatch_after", Timestamp),
    Column("hints", Integer, key="dispatches", nullable=False),
    Column("waiting_reason", Word(WaitingReason)),
    Column("waiting_since", Timestamp),
    Column("errors", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("deadline", Timestamp, nullable=False),
    Column("cancel_requested_at", Timestamp),
    Column("agent_host", Uuid),
    Column("event_seq", Integer, nullable=False),
    Column("chain_id", Uuid, nullable=False),
    Column("notes", Prose),
    Column("idempotency_key", Prose),
    Column("request_digest", Text),
    Column("phase", Prose),
    Column("branch", Prose),
    Column("pull_request_url", Prose),
    Column("codex_task_id", Prose),
    Column("codex_logs_path", Prose),
    Column("usage", Json),
    Column("reason", Prose),
    Column("error", Problem),
    Column("job_key", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("completed_at", Timestamp),
    Column("pruned_at", Timestamp),
    Column("kind", Text, nullable=False, server_default="phase"),
    Column("selection", Json),
    Column("attention", Json),
    Column("started_by", Prose),
    CheckConstraint(f"status IN ({_listed(ACTIVE | TERMINAL)})", name="status"),
    CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease"),
    CheckConstraint(f"status NOT IN ({_listed(TERMINAL)}) OR lease_owner IS NULL", name="terminal_unleased"),
    CheckConstraint(f"status IN ({_listed(TERMINAL)}) OR dispatch_after IS NOT NULL", name="active_dispatchable"),
    CheckConstraint(f"(status IN ({_listed(TERMINAL)})) = (completed_at IS NOT NULL)", name="completed"),
    CheckConstraint("(waiting_reason IS NULL) = (waiting_since IS NULL)", name="waiting"),
)

active = run.c.status.in_([literal_column(f"'{status.value}'") for status in sorted(ACTIVE)])
"""Written out, not bound: neither database uses a partial index for a condition that it cannot read."""
unleased = run.c.lease_owner.is_(None)
leased = run.c.lease_owner.is_not(None)

Index(ONE_REQUEST, run.c.repository_key, run.c.requested_key, unique=True, postgresql_where=active, sqlite_where=active)
Index(ONE_FEATURE, run.c.repository_key, run.c.feature_key, unique=True, postgresql_where=active, sqlite_where=active)
Index(ONE_IDEMPOTENCY_KEY, run.c.idempotency_key, unique=True)
_due = and_(active, unleased)
Index("ix_run_due", run.c.dispatch_after, postgresql_where=_due, sqlite_where=_due)
Index("ix_run_leased", run.c.lease_until, postgresql_where=leased, sqlite_where=leased)
_has_job = run.c.job_key.is_not(None)
Index("ix_run_job", run.c.agent_host, postgresql_where=_has_job, sqlite_where=_has_job)
Index("ix_run_newest", run.c.created_at, run.c.id)
Index("ix_run_status", run.c.status, run.c.created_at, run.c.id)
Index("ix_run_repository", run.c.repository_key, run.c.created_at, run.c.id)
_unpruned = and_(run.c.completed_at.is_not(None), run.c.pruned_at.is_(None))
Index("ix_run_unpruned", run.c.completed_at, postgresql_where=_unpruned, sqlite_where=_unpruned)

attempt = Table(
    "attempt",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("run_id", Uuid, ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("stage", Word(Stage), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Word(AttemptState), nullable=False),
    Column("claims", Integer, nullable=False),
    Column("result", Json),
    Column("checkpoint", Json),
    Column("error", Problem),
    Column("operator_retry", Boolean, nullable=False),
    Column("note", Prose),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    UniqueConstraint("run_id", "stage", "number"),
)
chain_order = case({stage.value: stage.position for stage in STAGES}, value=attempt.c.stage, else_=len(STAGES))
"""Sorts attempts as the chain goes; a stage that only another program knows comes last."""

event = Table(
    "event",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("run_id", Uuid, ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", Word(EventType), nullable=False),
    Column("stage", Word(Stage)),
    Column("data", Json, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("transaction_number", BigInteger, nullable=False),
    Column("actor", Prose),
    UniqueConstraint("run_id", "seq"),
)
Index("ix_event_stream", event.c.transaction_number, event.c.id)

artifact = Table(
    "artifact",
    metadata,
    Column("run_id", Uuid, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger),
    Column("digest", Text),
    Column("created_at", Timestamp, nullable=False),
)

credential_audit = Table(
    "credential_audit",
    metadata,
    Column("run_id", Uuid, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("codex_status", Text, nullable=False),
    Column("codex_message", Prose, nullable=False),
    Column("codex_checked_at", Timestamp),
    Column("github_status", Text, nullable=False),
    Column("github_message", Prose, nullable=False),
    Column("github_checked_at", Timestamp),
    Column("snapshot", Json, nullable=False),
)

agent_slot = Table(
    "agent_slot",
    metadata,
    Column("run_id", Uuid, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("host_id", Uuid, ForeignKey("host.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("taken_at", Timestamp, nullable=False),
)

cooldown = Table(
    "gate",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", Timestamp, nullable=False),
    Column("reason", Prose, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("read_only", Boolean, nullable=False),
    Column("created_by", Prose),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
)
