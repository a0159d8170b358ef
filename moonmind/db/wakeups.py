"""Ending a wait before its time."""

from uuid import UUID

from sqlalchemy import select

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move, move_one, record, record_all
from moonmind.db.tables import active, run, unleased
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import WAITS_FOR_JOB, WaitingReason
from moonmind.runs.records import Run
from moonmind.runs.retry import DISPATCH_SECONDS

_on_job = run.c.waiting_reason.in_(sorted(WAITS_FOR_JOB))


class Wakeups(InTransaction):
    """The wakes of one transaction."""

    def wake(self, run_id: UUID) -> Run | None:
        """Make a run due whose job has ended; None when it does not wait for one or is due already."""
        woken = move_one(
            self._connection,
            run.c.id == run_id,
            _on_job,
            active,
            unleased,
            run.c.not_before > db_now(),
            not_before=db_now(),
            dispatch_after=db_now_plus(DISPATCH_SECONDS),
            dispatches=0,
        )
        if woken is not None:
            reason = woken.waiting_reason.value if woken.waiting_reason is not None else None
            record(self._connection, woken, EventType.ATTEMPT_WOKEN, {"reason": reason})
        return woken

    def suspended_on_job(self, host_id: UUID, limit: int) -> list[Run]:
        """List the runs that wait for jobs of this host and are not due yet."""
        query = (
            select(*row_mapping.RUN)
            .where(active, unleased, _on_job, run.c.agent_host == host_id)
            .where(run.c.not_before > db_now())
            .order_by(run.c.not_before)
            .limit(limit)
        )
        return row_mapping.runs_of(self._connection.execute(query))

    def wake_capacity(self, limit: int = 1) -> list[Run]:
        """Make the oldest runs due that wait for an agent slot, since one was freed."""
        waits = run.c.waiting_reason == WaitingReason.CAPACITY
        oldest = (
            select(run.c.id)
            .where(active, unleased, waits, run.c.not_before > db_now())
            .order_by(run.c.created_at, run.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        # PostgreSQL may run a subquery with a limit more than once; a list of ids it cannot.
        ids = list(self._connection.execute(oldest).scalars())
        if not ids:
            return []
        guards = (run.c.id.in_(ids), active, unleased, waits)
        woken = move(self._connection, *guards, not_before=db_now(), dispatch_after=db_now(), dispatches=0)
        data = {"reason": WaitingReason.CAPACITY.value}
        record_all(self._connection, [(one, EventType.ATTEMPT_WOKEN, data) for one in woken])
        return sorted(woken, key=lambda one: ids.index(one.id))
