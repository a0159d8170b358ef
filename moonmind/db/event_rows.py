"""Events, read. Transitions write them, through `journal`."""

from uuid import UUID

from sqlalchemy import func, select, tuple_

from moonmind.db import row_mapping
from moonmind.db.clock import oldest_running_transaction
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import event
from moonmind.runs.event_types import EventType
from moonmind.runs.records import Event

_PLACE = (event.c.transaction_number, event.c.id)
"""Where an event stands in the stream over all runs."""

_LARGEST_SEQ = 2**31 - 1
"""What the column can hold."""


class Events(InTransaction):
    """The events of one transaction."""

    def after(self, run_id: UUID | None, after: int, limit: int) -> list[Event]:
        """Return the events after one: of a run by `seq`, or of all runs by the `id` of the last event received.

        The stream over all runs is in an order in which nothing appears late: by the writing transaction, then by id,
        without the rows of transactions that an unfinished one (of any database of the server) may still precede.
        Its ids need not grow, so the cursor is the last event's id and never the greatest. An id that is not there
        stands for the place of the next smaller one that is; 0 is before everything.
        """
        query = select(*row_mapping.EVENT).limit(limit)
        if run_id is not None:
            after = min(after, _LARGEST_SEQ)  # PostgreSQL refuses to compare the column with more
            query = query.where(event.c.run_id == run_id, event.c.seq > after).order_by(event.c.seq)
        else:
            query = query.where(event.c.transaction_number < oldest_running_transaction()).order_by(*_PLACE)
            if (place := self._place_of(after)) is not None:
                query = query.where(tuple_(*_PLACE) > place)
        return [Event(*row) for row in self._connection.execute(query)]

    def of_people(self, run_id: UUID) -> list[Event]:
        """Return the events of a run that people asked for, in their order."""
        query = select(*row_mapping.EVENT).where(event.c.run_id == run_id, event.c.actor.is_not(None))
        return [Event(*row) for row in self._connection.execute(query.order_by(event.c.seq))]

    def last(self, run_id: UUID, kind: EventType) -> Event | None:
        """Return a run's newest event of a kind; None where there is none."""
        query = select(*row_mapping.EVENT).where(event.c.run_id == run_id, event.c.type == kind)
        row = self._connection.execute(query.order_by(event.c.seq.desc()).limit(1)).one_or_none()
        return None if row is None else Event(*row)

    def count(self, run_id: UUID, kind: EventType) -> int:
        """Count a run's events of a kind."""
        query = select(func.count()).select_from(event).where(event.c.run_id == run_id, event.c.type == kind)
        return self._connection.execute(query).scalar_one()

    def last_id(self) -> int:
        """Return the id of the last event of the stream over all runs, from which only what happens next follows; 0: none."""
        query = (
            select(event.c.id)
            .where(event.c.transaction_number < oldest_running_transaction())
            .order_by(*(column.desc() for column in _PLACE))
            .limit(1)
        )
        return self._connection.execute(query).scalar_one_or_none() or 0

    def _place_of(self, event_id: int) -> tuple[int, int] | None:
        query = select(*_PLACE).where(event.c.id <= event_id).order_by(event.c.id.desc()).limit(1)
        found = self._connection.execute(query).one_or_none()
        return None if found is None else (found[0], found[1])
