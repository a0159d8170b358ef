import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError

from moonmind.db.clock import db_now
from moonmind.db.database_errors import answering
from moonmind.db.unit_of_work import Database
from moonmind.errors import NotConfigured, SchemaMismatch, Unavailable
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Advance, WaitingReason
from moonmind.runs.records import RunFilter
from tests.support.databases import (
    add_run,
    at_once,
    claim_run,
    everything,
    new_run,
    read_run,
    set_columns,
)


class Stop(Exception):
    """Ends a block."""


def test_an_exception_undoes_the_block(database: Database) -> None:
    before = everything(database)

    def fail() -> None:
        with database.write() as unit:
            unit.runs.add(new_run())
            raise Stop

    with pytest.raises(Stop):
        fail()
    assert everything(database) == before


def test_what_one_block_wrote_the_next_one_reads(database: Database) -> None:
    with database.write() as unit:
        run = unit.runs.add(new_run())
        assert unit.runs.get(run.id) == run
    assert read_run(database, run.id) == run


def test_the_clock_is_the_databases_and_in_utc(database: Database) -> None:
    with database.read() as unit:
        now = unit.now()
    assert now.tzinfo is UTC
    # Only this test compares the two clocks: they are of one machine here.
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    run = add_run(database)
    with database.write() as unit:
        unit.requests.request_cancel(run.id)
        assert read_run(database, run.id) == run
    assert read_run(database, run.id) != run


def test_writers_wait_for_each_other_and_none_fails(database: Database) -> None:
    results = at_once(8, lambda _: [add_run(database).id for _ in range(10)])
    assert [one for one in results if isinstance(one, Exception)] == []
    with database.read() as unit:
        assert len(unit.runs.page(RunFilter(), 100)) == 80


def test_a_claim_and_its_record_are_three_statements_each(database: Database) -> None:
    run = add_run(database)
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(database._engine, "before_cursor_execute", count)
    claim = claim_run(database, run.id)
    assert [one.split()[0] for one in statements] == ["UPDATE", "UPDATE", "INSERT"]
    statements.clear()
    with database.write() as unit:
        unit.outcomes.write(claim, Advance(Stage.SUBMIT, {"a": 1, "phase": "1"}))
    assert [one.split()[0] for one in statements] == ["UPDATE", "UPDATE", "INSERT"]


@pytest.mark.parametrize(
    "broken",
    [
        {"lease_owner": "me"},
        {"lease_until": db_now()},
        {"dispatch_after": None},
        {"completed_at": db_now()},
        {"waiting_reason": WaitingReason.AGENT},
    ],
    ids=lambda values: next(iter(values)),
)
def test_the_database_itself_refuses_a_run_that_could_stick(database: Database, broken: dict[str, object]) -> None:
    run = add_run(database)
    with pytest.raises(IntegrityError):
        set_columns(database, run.id, **broken)


@pytest.mark.parametrize("column", ["status = 'lost'", "status = 'failed'"])
def test_the_database_itself_refuses_statuses_that_are_not(database: Database, column: str) -> None:
    add_run(database)
    with pytest.raises(IntegrityError), database._engine.begin() as connection:
        connection.execute(text(f"UPDATE run SET {column}"))


def test_a_missing_table_is_a_schema_that_is_not_ours(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SchemaMismatch, match="run"):
        add_run(database)
    database.dispose()


def test_a_server_that_is_away_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable):
        add_run(database)
    database.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "mistake", [lambda url: url.set(username="nobody_of_that_name"), lambda url: url.set(database="no_such_database")]
)
def test_a_server_that_refuses_is_a_setting_that_is_wrong(postgres_url: str, mistake: Callable[[URL], URL]) -> None:
    url = mistake(make_url(postgres_url))
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(NotConfigured, match=r"The database refused: .*does not exist") as refused:
        add_run(database)
    assert "DATABASE_URL" in refused.value.advice
    assert "CELERY_RESULT_BACKEND" in refused.value.advice
    database.dispose()


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        ('connection failed: FATAL:  password authentication failed for user "moon"', True),
        ('connection is bad:\n- ::1: FATAL:  no pg_hba.conf entry for host "::1", user "moon"', True),
        ("connection failed: fe_sendauth: no password supplied", True),
        ("unable to open database file", True),
        ("attempt to write a readonly database", True),
        ("connection failed: FATAL:  the database system is starting up", False),
        ("connection failed: FATAL:  sorry, too many clients already", False),
        ("connection failed: Connection refused", False),
        ("database is locked", False),
    ],
)
def test_only_what_waiting_does_not_fix_is_a_refusal(said: str, refuses: bool) -> None:
    with pytest.raises(NotConfigured if refuses else Unavailable), answering():
        raise OperationalError(None, None, Exception(said))


@pytest.mark.sqlite
def test_a_folder_in_a_sqlite_files_place_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "moonmind.db").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'moonmind.db'}")
    with pytest.raises(NotConfigured, match="unable to open database file"):
        add_run(database)
    database.dispose()


@pytest.mark.postgres
def test_a_server_that_takes_no_writes_for_now_is_unavailable(postgres_url: str) -> None:
    database = Database(f"{postgres_url}?options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(Unavailable, match="read-only"):
        add_run(database)
    with database.read() as unit:
        assert unit.runs.page(RunFilter(), 1) == []
    database.dispose()


@pytest.mark.postgres
def test_a_connection_that_was_cut_is_unavailable_once_and_replaced(postgres_url: str) -> None:
    database = Database(postgres_url)

    def cut() -> None:
        with database.write() as unit:
            unit.now()
            with database._engine.connect() as other:
                kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                other.execute(text(kill))
            unit.now()

    with pytest.raises(Unavailable):
        cut()
    add_run(database)
    database.dispose()


@pytest.mark.sqlite
@pytest.mark.postgres
def test_a_transaction_that_a_stopped_process_left_open_lets_go_of_its_row(postgres_url: str) -> None:
    stopped, other = Database(postgres_url, idle_in_transaction_seconds=1), Database(postgres_url)
    run = add_run(other)

    def stop_in_between() -> None:
        with stopped.write() as unit:
            unit.dispatch.dispatch_now(run.id)
            # It goes no further; whoever wants the row waits, and gets it.
            claim_run(other, run.id, Stage.DISCOVER)
            unit.dispatch.dispatch_now(run.id)

    with pytest.raises(Unavailable):
        stop_in_between()
    assert read_run(other, run.id).fence == 1
    stopped.dispose()
    other.dispose()


def test_sqlite_keeps_what_it_committed_and_checks_references(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database._engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    database.dispose()


@pytest.mark.sqlite
def test_a_locked_sqlite_file_is_unavailable(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_seconds=0.05)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        add_run(database)
    holder.rollback()
    holder.close()
    add_run(database)
    database.dispose()


@pytest.mark.sqlite
def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'var' / 'deep' / 'moonmind.db'}")
    database.migrate()
    database.check_schema()
    database.dispose()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(NotConfigured):
        Database(url)
