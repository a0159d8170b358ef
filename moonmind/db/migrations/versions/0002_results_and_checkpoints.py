"""Results and checkpoints in columns of their own, and stages by their names."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration makes must not change with the program.
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
STAGES = ("discover", "submit", "apply", "publish", "finalize")
TABLES = ("run", "attempt", "event")
CHECKED = ("run", "attempt")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as changed:
            if table in CHECKED:
                changed.drop_constraint(op.f(f"ck_{table}_stage"), type_="check")
            changed.alter_column("stage", type_=sa.Text(), postgresql_using=_names("stage"))
        if _is_sqlite():
            # A rebuilt table has the positions as text.
            op.execute(f"UPDATE {table} SET stage = {_names('CAST(stage AS INTEGER)')}")  # noqa: S608 (all made here)
    with op.batch_alter_table("attempt") as attempt:
        attempt.add_column(sa.Column("result", JSON, nullable=True))
        attempt.add_column(sa.Column("checkpoint", JSON, nullable=True))
    op.execute("UPDATE attempt SET result = outputs WHERE state = 'succeeded'")
    op.execute("UPDATE attempt SET checkpoint = outputs WHERE state <> 'succeeded'")
    with op.batch_alter_table("attempt") as attempt:
        attempt.drop_column("outputs")
    if _is_sqlite():
        _make_indexes_again()


def downgrade() -> None:
    with op.batch_alter_table("attempt") as attempt:
        attempt.add_column(sa.Column("outputs", JSON, nullable=True))
    op.execute("UPDATE attempt SET outputs = CASE WHEN state = 'succeeded' THEN result ELSE checkpoint END")
    with op.batch_alter_table("attempt") as attempt:
        attempt.drop_column("checkpoint")
        attempt.drop_column("result")
    for table in TABLES:
        if _is_sqlite():
            op.execute(f"UPDATE {table} SET stage = {_positions('stage')}")  # noqa: S608 (all made here)
        with op.batch_alter_table(table) as changed:
            changed.alter_column("stage", type_=sa.SmallInteger(), postgresql_using=_positions("stage"))
            if table in CHECKED:
                changed.create_check_constraint(op.f(f"ck_{table}_stage"), "stage BETWEEN 0 AND 4")
    if _is_sqlite():
        _make_indexes_again()


def _names(column: str) -> str:
    cases = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(STAGES))
    return f"CASE {column} {cases} END"


def _positions(column: str) -> str:
    cases = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(STAGES))
    return f"CASE {column} {cases} END"


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _make_indexes_again() -> None:
    """Make the indexes of the rebuilt tables in the order of their names, as the first schema did.

    Rebuilding makes them in any order, and between equal ones SQLite chooses by that order: a frequent statement would
    read a whole table in one installation, and not in another.
    """
    of_table = sa.text(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
    )
    for table in TABLES:
        indexes = sorted(tuple(row) for row in op.get_bind().execute(of_table, {"table": table}))
        for name, _ in indexes:
            op.execute(f"DROP INDEX {name}")
        for _, sql in indexes:
            op.execute(sql)
