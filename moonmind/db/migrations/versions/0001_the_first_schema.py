"""The first schema."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out, not imported: what a migration makes must not change with the program.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ACTIVE = "status IN ('pending', 'retrying', 'running')"
NOW = {
    "postgresql": "statement_timestamp()",
    "sqlite": "(CAST(ROUND(julianday('now') * 86400000.0) AS INTEGER) - 210866760000000) * 1000",
}


def where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "gate",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gate"),
    )
    op.create_table(
        "host",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enrolled_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("repository_key", sa.Text(), nullable=False),
        sa.Column("requested_key", sa.Text(), server_default="", nullable=False),
        sa.Column("feature_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("dispatch_after", INSTANT, nullable=True),
        sa.Column("hints", sa.Integer(), nullable=False),
        sa.Column("waiting_reason", sa.Text(), nullable=True),
        sa.Column("waiting_since", INSTANT, nullable=True),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("deadline", INSTANT, nullable=False),
        sa.Column("cancel_requested_at", INSTANT, nullable=True),
        sa.Column("agent_host", sa.Uuid(), nullable=True),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_digest", sa.Text(), nullable=True),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("pull_request_url", sa.Text(), nullable=True),
        sa.Column("codex_task_id", sa.Text(), nullable=True),
        sa.Column("codex_logs_path", sa.Text(), nullable=True),
        sa.Column("usage", JSON, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("job_key", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("completed_at", INSTANT, nullable=True),
        sa.Column("pruned_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(status IN ('cancelled', 'failed', 'no_work', 'succeeded')) = (completed_at IS NOT NULL)",
            name=op.f("ck_run_completed"),
        ),
        sa.CheckConstraint(
            "status IN ('cancelled', 'failed', 'no_work', 'pending', 'retrying', 'running', 'succeeded')",
            name=op.f("ck_run_status"),
        ),
        sa.CheckConstraint(
            "status IN ('cancelled', 'failed', 'no_work', 'succeeded') OR dispatch_after IS NOT NULL",
            name=op.f("ck_run_active_dispatchable"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('cancelled', 'failed', 'no_work', 'succeeded') OR lease_owner IS NULL",
            name=op.f("ck_run_terminal_unleased"),
        ),
        sa.CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_run_lease")),
        sa.CheckConstraint("(waiting_reason IS NULL) = (waiting_since IS NULL)", name=op.f("ck_run_waiting")),
        sa.CheckConstraint("stage BETWEEN 0 AND 4", name=op.f("ck_run_stage")),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_due", "run", ["dispatch_after"], unique=False, **where(f"{ACTIVE} AND lease_owner IS NULL"))
    op.create_index("ix_run_job", "run", ["agent_host"], unique=False, **where("job_key IS NOT NULL"))
    op.create_index("ix_run_leased", "run", ["lease_until"], unique=False, **where("lease_owner IS NOT NULL"))
    op.create_index("ix_run_newest", "run", ["created_at", "id"], unique=False)
    op.create_index("ix_run_repository", "run", ["repository_key", "created_at", "id"], unique=False)
    op.create_index("ix_run_status", "run", ["status", "created_at", "id"], unique=False)
    op.create_index(
        "ix_run_unpruned",
        "run",
        ["completed_at"],
        unique=False,
        **where("completed_at IS NOT NULL AND pruned_at IS NULL"),
    )
    op.create_index("uq_run_active_feature", "run", ["repository_key", "feature_key"], unique=True, **where(ACTIVE))
    op.create_index("uq_run_active_request", "run", ["repository_key", "requested_key"], unique=True, **where(ACTIVE))
    op.create_index("uq_run_idempotency_key", "run", ["idempotency_key"], unique=True)

    op.create_table(
        "agent_slot",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_agent_slot_host_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_agent_slot_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name="pk_agent_slot"),
    )
    op.create_index("ix_agent_slot_host_id", "agent_slot", ["host_id"], unique=False)

    op.create_table(
        "artifact",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_artifact_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "path", name="pk_artifact"),
    )
    op.create_table(
        "attempt",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("outputs", JSON, nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("operator_retry", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint("stage BETWEEN 0 AND 4", name=op.f("ck_attempt_stage")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_attempt_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_attempt"),
        sa.UniqueConstraint("run_id", "stage", "number", name="uq_attempt_run_id_stage_number"),
    )
    op.create_table(
        "credential_audit",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("codex_status", sa.Text(), nullable=False),
        sa.Column("codex_message", sa.Text(), nullable=False),
        sa.Column("codex_checked_at", INSTANT, nullable=True),
        sa.Column("github_status", sa.Text(), nullable=False),
        sa.Column("github_message", sa.Text(), nullable=False),
        sa.Column("github_checked_at", INSTANT, nullable=True),
        sa.Column("snapshot", JSON, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_credential_audit_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name="pk_credential_audit"),
    )
    op.create_table(
        "event",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("transaction_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_event_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("run_id", "seq", name="uq_event_run_id_seq"),
    )
    op.create_index("ix_event_stream", "event", ["transaction_number", "id"], unique=False)

    # Folders, processes and containers of this installation carry its id.
    made = f"'{_installation_id()}', {NOW[_dialect()]}"
    op.execute(f"INSERT INTO installation (id, created_at) VALUES ({made})")  # noqa: S608 (both parts are made here)


def _dialect() -> str:
    return op.get_context().dialect.name


def _installation_id() -> str:
    made = uuid4()
    return str(made) if _dialect() == "postgresql" else made.hex


def downgrade() -> None:

    op.drop_table("event")
    op.drop_table("credential_audit")
    op.drop_table("attempt")
    op.drop_table("artifact")

    op.drop_table("agent_slot")

    op.drop_table("run")
    op.drop_table("installation")
    op.drop_table("host")
    op.drop_table("gate")
