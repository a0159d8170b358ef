"""The statements that run every second stay on their indexes, however many ended runs there are."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert, text

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.tables import run
from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import RunFilter
from tests.support.databases import HOST, add_run

ENDED = 3000

STATEMENTS: dict[str, tuple[str, Callable[[UnitOfWork], object]]] = {
    "due": ("ix_run_due", lambda unit: unit.dispatch.overdue(100)),
    "suspended": ("ix_run_due", lambda unit: unit.wakeups.suspended_on_job(HOST, 100)),
    "leases": ("ix_run_leased", lambda unit: unit.rescues.expire_leases(3)),
    "capacity": ("ix_run_due", lambda unit: unit.wakeups.wake_capacity()),
    "reaping": ("ix_run_job", lambda unit: unit.rescues.ended_with_job(HOST, 100)),
    "newest": ("ix_run_newest", lambda unit: unit.runs.page(RunFilter(), 20)),
    "by status": ("ix_run_status", lambda unit: unit.runs.page(RunFilter(status=RunStatus.RUNNING), 20)),
    "retention": ("ix_run_unpruned", lambda unit: unit.runs.expired_files(400.0, 100)),
}


@pytest.fixture
def crowded(database: Database) -> Database:
    """A database with many ended runs and a few active ones."""
    with database._engine.begin() as connection:
        for status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
            statement = insert(run).values(
                status=status,
                stage=Stage.FINALIZE,
                fence=1,
                not_before=db_now(),
                dispatches=0,
                errors=0,
                crashes=0,
                rounds=0,
                deadline=db_now(),
                event_seq=1,
                chain_id=uuid4(),
                created_at=db_now_plus(-1000.0),
                updated_at=db_now(),
                completed_at=db_now(),
            )
            names = [f"octo/{number}" for number in range(ENDED // 2)]
            connection.execute(statement, [{"id": uuid4(), "repository": n, "repository_key": n} for n in names])
    for _ in range(5):
        add_run(database)
    with database._engine.begin() as connection:
        # What earlier tests removed still fills their pages, and the planner counts pages.
        connection.execute(text("REINDEX run" if database._engine.dialect.name == "sqlite" else "REINDEX TABLE run"))
        connection.execute(text("ANALYZE"))
    return database


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_frequent_statement_reads_its_index(crowded: Database, name: str) -> None:
    index, act = STATEMENTS[name]
    seen: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            seen.append((statement, parameters))

    event.listen(crowded._engine, "before_cursor_execute", note)
    with crowded.write() as unit:
        act(unit)
    event.remove(crowded._engine, "before_cursor_execute", note)
    statement, parameters = seen[0]
    prefix = "EXPLAIN QUERY PLAN " if crowded._engine.dialect.name == "sqlite" else "EXPLAIN "
    with crowded._engine.begin() as connection:
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(prefix + statement, parameters))
    # SQLite may take the few active rows from the index over status instead.
    assert index in plan or ("ix_run_status" in plan and crowded._engine.dialect.name == "sqlite")
    assert "Seq Scan on run" not in plan
    assert "SCAN run'" not in plan
