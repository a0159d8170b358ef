"""Agent slots: how many agents a host runs at once."""

from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select

from moonmind.db.clock import db_now
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move_one, record
from moonmind.db.tables import agent_slot, host, leased, run
from moonmind.runs.event_types import EventType


class Slots(InTransaction):
    """The agent slots of one transaction."""

    def take(self, run_id: UUID, fence: int, host_id: UUID, limit: int) -> bool:
        """Take one of the host's slots for the run and bind the run to the host; True too when it has one there.

        False when all are taken, or when the claim is no longer the caller's.
        """
        # Whoever counts the host's slots holds its row, so that two cannot both see the last one free.
        self._connection.execute(select(host.c.id).where(host.c.id == host_id).with_for_update(key_share=True))
        if self._holds(run_id, host_id):
            return self._connection.execute(_mine(run_id, fence)).first() is not None
        if self.used(host_id) >= limit:
            return False
        bound = move_one(self._connection, run.c.id == run_id, run.c.fence == fence, leased, agent_host=host_id)
        if bound is None:
            return False
        self.free(run_id)
        self._connection.execute(insert(agent_slot).values(run_id=run_id, host_id=host_id, taken_at=db_now()))
        record(self._connection, bound, EventType.SLOT_TAKEN, {"host": str(host_id)})
        return True

    def free(self, run_id: UUID) -> bool:
        """Release the run's slot. Return False if it held none."""
        statement = delete(agent_slot).where(agent_slot.c.run_id == run_id).returning(agent_slot.c.run_id)
        return self._connection.execute(statement).one_or_none() is not None

    def used(self, host_id: UUID) -> int:
        """Count the slots taken on a host."""
        query = select(func.count()).select_from(agent_slot).where(agent_slot.c.host_id == host_id)
        return self._connection.execute(query).scalar_one()

    def _holds(self, run_id: UUID, host_id: UUID) -> bool:
        query = select(agent_slot.c.run_id).where(agent_slot.c.run_id == run_id, agent_slot.c.host_id == host_id)
        return self._connection.execute(query).first() is not None


def _mine(run_id: UUID, fence: int) -> Select[tuple[UUID]]:
    return select(run.c.id).where(run.c.id == run_id, run.c.fence == fence, leased)
