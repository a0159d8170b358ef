"""Janitors of the test's hosts, and the time that passes between their sweeps."""

from uuid import UUID

from sqlalchemy import update

from moonmind.db.clock import db_now_plus
from moonmind.db.tables import host
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.host import Host
from moonmind.engine.janitor import Janitor
from moonmind.runs.retry import RetryPolicy
from tests.support.databases import HOST
from tests.support.engine_room import Clock, IdleAgent

OTHER = UUID("00000000-0000-4000-8000-000000000002")
PACE = 60.0
SILENCE = 300.0


def build(database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent, host_id: UUID = HOST) -> Janitor:
    """Make a host's janitor, which sweeps when the test says."""
    return Janitor(
        database,
        dispatch_loop,
        agent,
        Host(host_id, "a-host"),
        RetryPolicy(),
        pace_seconds=PACE,
        host_silence_seconds=SILENCE,
    )


def fall_silent(database: Database, host_id: UUID) -> None:
    """Let a host have beaten for the last time a silence ago."""
    with database._engine.begin() as connection:
        connection.execute(update(host).where(host.c.id == host_id).values(seen_at=db_now_plus(-SILENCE - 1.0)))


def watch(janitor: Janitor, clock: Clock, seconds: float) -> None:
    """Sweep at the janitor's pace for so long."""
    end = clock.now + seconds
    janitor.sweep()
    while clock.now < end:
        clock.now = min(clock.now + PACE, end)
        janitor.sweep()
