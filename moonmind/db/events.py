"""Events, read. Transitions write them, through `journal`."""

from uuid import UUID

from sqlalchemy import Connection, select, tuple_

from moonmind.db import rows
from moonmind.db.clock import oldest_running_transaction
from moonmind.db.records import Event
from moonmind.db.tables import event


class Events:
    """The events of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def after(self, run_id: UUID | None, after: int, limit: int) -> list[Event]:
        """Give the events after one: of a run by `seq`, or of all runs by the `id` of the last event received.

        The stream over all runs is in an order in which nothing appears late: by the writing transaction, then by id,
        without the rows of transactions that an unfinished one (of any database of the server) may still precede.
        Its ids need not grow, so the cursor is the last event's id and never the greatest.
        """
        query = select(*rows.EVENT).limit(limit)
        if run_id is not None:
            query = query.where(event.c.run_id == run_id, event.c.seq > after).order_by(event.c.seq)
        else:
            place = tuple_(event.c.transaction_number, event.c.id)
            query = query.where(
                event.c.transaction_number < oldest_running_transaction(), place > (self._transaction_of(after), after)
            ).order_by(event.c.transaction_number, event.c.id)
        return [Event(*row) for row in self._connection.execute(query)]

    def _transaction_of(self, event_id: int) -> int:
        query = select(event.c.transaction_number).where(event.c.id == event_id)
        return self._connection.execute(query).scalar_one_or_none() or 0
