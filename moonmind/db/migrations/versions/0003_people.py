"""Who did it, what a person is asked, what a run was asked to take up, and named API tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration makes must not change with the program.
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    # Added one by one, not in a batch: adding a column that may be null rebuilds no table in either database.
    op.add_column("run", sa.Column("kind", sa.Text(), nullable=False, server_default="phase"))
    op.add_column("run", sa.Column("selection", JSON, nullable=True))
    op.add_column("run", sa.Column("attention", JSON, nullable=True))
    op.add_column("run", sa.Column("started_by", sa.Text(), nullable=True))
    op.add_column("event", sa.Column("actor", sa.Text(), nullable=True))
    op.create_table(
        "api_token",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )


def downgrade() -> None:
    op.drop_table("api_token")
    op.drop_column("event", "actor")
    for name in ("started_by", "attention", "selection", "kind"):
        op.drop_column("run", name)
