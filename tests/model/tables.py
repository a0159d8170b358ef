"""The tables as they are, read past the repositories in one go, and the database's time moved in them."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from sqlalchemy import make_url

from moonmind.runs.chain import Stage
from tests.model.laws import INSTANTS, RunRow, Snapshot

COLUMNS = RunRow._fields[8:-4]
"""What is read of a run as it stands; its key, its host, six questions and its instants come beside it."""
_CASES = " ".join(f"WHEN '{stage.value}' THEN {stage.position}" for stage in Stage)
PLACE = f"CASE stage {_CASES} END"
"""A stage's place in the chain."""
STORED = {"stage": PLACE, "dispatches": "hints"}
"""What a column is read as, where it is not stored under the row's word."""
SLIPPING = 1.0
"""So many seconds may pass by themselves before they are taken back."""
NEAR = 2.4
"""What is to come within so many seconds has come in the model, whose instants are five seconds apart: it was written so
much later than the model's clock says."""


class Tables:
    """The tables of one database."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._connection: Any
        self._postgres = parsed.get_backend_name() == "postgresql"
        if self._postgres:
            plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            self._connection = psycopg.connect(plain, autocommit=True)
            key, code, now = "replace({}::text, '-', '')", "error->>'code'", "statement_timestamp()"
            asks, answered = "attention->>'kind'", "attention->>'answer' IS NOT NULL"
            seconds = "extract(epoch from {} - " + now + ")::float8"
        else:
            self._connection = sqlite3.connect(parsed.database or "", isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.execute("PRAGMA synchronous=OFF")
            key, code = "{}", "json_extract(error, '$.code')"
            asks, answered = "json_extract(attention, '$.kind')", "json_extract(attention, '$.answer') IS NOT NULL"
            now = "(CAST(ROUND(julianday('now') * 86400000.0) AS INTEGER) - 210866760000000) * 1000"
            seconds = "({} - " + now + ") / 1000000.0"
        self._now = now
        answers = [f"{name} IS NOT NULL" for name in ("lease_owner", "cancel_requested_at", "completed_at")]
        columns = [STORED.get(name, name) for name in COLUMNS]
        listed = (
            *map(key.format, ("id", "agent_host")),
            *answers,
            code,
            asks,
            answered,
            *columns,
            *map(seconds.format, INSTANTS),
        )
        self._runs = f"SELECT {', '.join(listed)} FROM run"
        self._tries = f"SELECT {key.format('run_id')}, {PLACE}, number, state, claims FROM attempt ORDER BY id"
        self._events = f"SELECT {key.format('run_id')}, seq, type FROM event ORDER BY id"
        self._slots = f"SELECT {key.format('run_id')}, {key.format('host_id')} FROM agent_slot"
        self._still_since = 0.0

    def read(self) -> Snapshot:
        """Read them."""
        queries = (self._slots, self._runs, self._tries, self._events)
        slots, runs, tries, events = (self._connection.execute(query).fetchall() for query in queries)
        found = Snapshot(slots=dict(slots))
        for row in runs:
            found.runs[row[0]] = RunRow(*row)
        for run, stage, number, state, claims in tries:
            found.tries.setdefault((run, stage), []).append((number, state, claims))
        for run, number, kind in events:
            found.events.setdefault(run, []).append((number, kind))
        return found

    def empty(self) -> None:
        """Remove all rows but the installation's."""
        for table in ("run", "host", "gate"):
            self._connection.execute(f"DELETE FROM {table}")
        self._still_since = time.monotonic()

    def pass_time(self, seconds: float) -> None:
        """Let the database's time pass, forward or back.

        There is no other clock, and it is not ours to set. But all that is ever asked of it is whether an instant in a
        row is past, so taking the seconds from every such instant is the same as adding them to the clock.
        """

        def moved(column: str) -> str:
            then = self._less(column, seconds)
            near = f"{then} > {self._now} AND {self._less(column, seconds + NEAR)} <= {self._now}"
            return f"CASE WHEN {near} THEN {self._now} ELSE {then} END"

        self._shift(moved)

    def stand_still(self) -> None:
        """Take back what passed while the moves were made: the model's clock moves in steps only.

        What is past stays past, or it would seem to be still to come.
        """
        if (slipped := time.monotonic() - self._still_since) < SLIPPING:
            return
        self._still_since += slipped
        least = "LEAST" if self._postgres else "MIN"

        def moved(column: str) -> str:
            later = self._less(column, -slipped)
            return f"CASE WHEN {column} <= {self._now} THEN {least}({later}, {self._now}) ELSE {later} END"

        self._shift(moved)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _shift(self, moved: Callable[[str], str]) -> None:
        for table, columns in (("run", INSTANTS), ("host", ("seen_at",))):
            self._connection.execute(f"UPDATE {table} SET {', '.join(_set(columns, moved))}")

    def _less(self, column: str, seconds: float) -> str:
        if self._postgres:
            return f"{column} - make_interval(secs => {seconds})"
        return f"{column} - {round(seconds * 1_000_000)}"


def _set(columns: Iterable[str], moved: Callable[[str], str]) -> Iterable[str]:
    return (f"{column} = {moved(column)}" for column in columns)
