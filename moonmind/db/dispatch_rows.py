"""Which runs to tell workers of, and when again."""

from uuid import UUID

from sqlalchemy import ColumnElement, case, select, update

from moonmind.db import row_mapping
from moonmind.db.claims import due
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import active, run, unleased
from moonmind.runs.chain import STAGES
from moonmind.runs.records import Run
from moonmind.runs.retry import DISPATCH_CAP_SECONDS, dispatch_interval

UNCONFIRMED_SECONDS = 5.0


class Dispatch(InTransaction):
    """The dispatches of one transaction. They are no news about a run, so they write no event."""

    def overdue(self, limit: int) -> list[Run]:
        """List the runs that are due, at a stage known here, held by nobody, and not dispatched lately; the longest overdue first."""
        query = (
            select(*row_mapping.RUN)
            .where(active, unleased, run.c.dispatch_after <= db_now(), due, run.c.stage.in_(STAGES))
            .order_by(run.c.dispatch_after)
            .limit(limit)
        )
        return row_mapping.runs_of(self._connection.execute(query))

    def note(self, run_id: UUID, *, dispatches: int | None = None) -> Run | None:
        """Note that a run is dispatched again now; None when it is no longer to be.

        `dispatches` is the count that the caller saw: of several processes that saw one row, one dispatches.
        """
        seen = [] if dispatches is None else [run.c.dispatches == dispatches]
        statement = (
            update(run)
            .where(run.c.id == run_id, active, unleased, due, *seen)
            .values(dispatch_after=db_now_plus(_interval()), dispatches=run.c.dispatches + 1)
            .returning(*row_mapping.RUN)
        )
        return row_mapping.run_of(self._connection.execute(statement).one_or_none())

    def dispatch_now(self, run_id: UUID) -> None:
        """Leave a run's first dispatch to the next sweep of any running process, instead of ten seconds later."""
        self._connection.execute(update(run).where(run.c.id == run_id, active).values(dispatch_after=db_now()))

    def unconfirmed(self, run_id: UUID) -> None:
        """Take a dispatch back that the broker did not confirm; it is tried again soon."""
        self._connection.execute(
            update(run)
            .where(run.c.id == run_id, active, unleased)
            .values(
                dispatch_after=db_now_plus(UNCONFIRMED_SECONDS),
                dispatches=case((run.c.dispatches > 0, run.c.dispatches - 1), else_=0),
            )
        )


def _interval() -> ColumnElement[float]:
    steps: dict[int, float] = {}
    while (seconds := dispatch_interval(len(steps))) < DISPATCH_CAP_SECONDS:
        steps[len(steps)] = seconds
    return case(steps, value=run.c.dispatches, else_=DISPATCH_CAP_SECONDS)
