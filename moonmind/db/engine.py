"""Connections as MoonMind needs them: SQLite that waits its turn and loses nothing, PostgreSQL that is never hung on."""

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import DisconnectionError

from moonmind.db.types import dump_json
from moonmind.errors import NotConfigured
from moonmind.private import make_folder, make_private

if TYPE_CHECKING:
    import psycopg  # SQLite starts without it

BUSY_SECONDS = 30.0
IDLE_SECONDS = 1.0
"""After so long without use a connection is probed before it is used again."""
IDLE_IN_TRANSACTION_SECONDS = 20
"""PostgreSQL ends a session that leaves a transaction open for so long; ours take milliseconds."""
_FOLDER_MODE = 0o750
"""Of a folder made for the database: artifacts, which the group may read, are below it by default."""
WRITES = "moonmind_writes"
"""The execution option of connections that will write."""


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    busy_seconds: float = BUSY_SECONDS,
    idle_in_transaction_seconds: float = IDLE_IN_TRANSACTION_SECONDS,
) -> Engine:
    """Make the engine for a SQLite file or a PostgreSQL database; raises NotConfigured for anything else."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(url, parsed.database, pool_size, busy_seconds)
        case "postgresql":
            return _postgresql(url, pool_size, busy_seconds, idle_in_transaction_seconds)
        case other:
            raise NotConfigured(f"MoonMind keeps runs in SQLite or PostgreSQL, not in {other}.")


def _sqlite(url: str, database: str | None, pool_size: int, busy_seconds: float) -> Engine:
    if not database or database == ":memory:":
        raise NotConfigured("The SQLite database must be a file: threads and processes share it.")
    try:
        make_folder(Path(database).parent, _FOLDER_MODE)
    except OSError as error:
        raise NotConfigured(
            f"The folder of the SQLite database {database} cannot be made: {error.strerror}",
            remediation="Give this user write access there, or name another place: MOONMIND_VAR_DIR or DATABASE_URL.",
        ) from error
    engine = sqlalchemy_engine(
        url,
        json_serializer=dump_json,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own BEGIN comes too late and is never IMMEDIATE; ours is sent by the listener below.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    for _, _, name in connection.execute("PRAGMA database_list"):
        for suffix in ("", "-wal", "-shm"):
            make_private(Path(f"{name}{suffix}"))


def _begin_sqlite(connection: Connection) -> None:
    # A plain BEGIN that reads and then writes fails at once when another writer came between, however long it may wait.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: str, pool_size: int, busy_seconds: float, idle_seconds: float) -> Engine:
    engine = sqlalchemy_engine(
        url,
        json_serializer=dump_json,
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=busy_seconds,
        pool_recycle=1800,
        # A server that vanished without a word must not hold a heartbeat longer than a lease lasts.
        connect_args={"application_name": "moonmind", "connect_timeout": 10, "tcp_user_timeout": 20_000},
    )
    event.listen(engine, "connect", partial(_bound_idleness, idle_seconds))
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _probe_idle)
    return engine


def _bound_idleness(seconds: float, connection: "psycopg.Connection[Any]", _record: Any) -> None:
    # A process that is stopped between two statements keeps its row locked, and everybody else out, until it goes on.
    connection.execute(f"SET idle_in_transaction_session_timeout = '{seconds:.0f}s'")
    connection.commit()


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _probe_idle(connection: Any, record: Any, _proxy: Any) -> None:
    """Probe a connection that lay idle, so that a database that was restarted meanwhile goes unnoticed.

    The pool's own probe before every use costs a round trip in each transaction; a stage is two short ones.
    """
    if time.monotonic() - record.info.get("used", float("-inf")) < IDLE_SECONDS:
        return
    import psycopg

    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool opens a new one and asks again
