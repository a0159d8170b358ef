"""The machines that run agents, and the installation they belong to."""

import builtins
from uuid import UUID

from sqlalchemy import select, update

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import host, installation
from moonmind.runs.records import Host


class Hosts(InTransaction):
    """The hosts of one transaction."""

    def register(self, host_id: UUID, name: str) -> None:
        """Make a host known, or known again, as alive now; only a registered host can take agent slots."""
        values = {"id": host_id, "name": name, "registered_at": db_now(), "seen_at": db_now()}
        self._upsert(host, values, kept=frozenset({"registered_at"}))

    def list(self) -> builtins.list[Host]:
        """List the hosts, the one heard of last first."""
        query = select(*row_mapping.HOST).order_by(host.c.seen_at.desc(), host.c.id)
        return [Host(*row) for row in self._connection.execute(query)]

    def heard(self, seconds: float) -> bool:
        """Return True if any host that runs stages has reported in within that many seconds."""
        query = select(host.c.id).where(host.c.seen_at >= db_now_plus(-seconds)).limit(1)
        return self._connection.execute(query).first() is not None

    def installation(self) -> UUID:
        """Return the id that the first migration gave this installation."""
        found: UUID = self._connection.execute(select(installation.c.id)).scalar_one()
        return found

    def sandbox(self) -> str | None:
        """Return the sandbox that this installation keeps to; None before one was found."""
        kept: str | None = self._connection.execute(select(installation.c.sandbox)).scalar_one()
        return kept

    def keep_sandbox(self, kind: str) -> str:
        """Keep to a sandbox unless one is kept already; return what is kept now."""
        self._connection.execute(update(installation).where(installation.c.sandbox.is_(None)).values(sandbox=kind))
        kept: str = self._connection.execute(select(installation.c.sandbox)).scalar_one()
        return kept

    def forget_sandbox(self) -> None:
        """Have whoever asks next choose again."""
        self._connection.execute(update(installation).values(sandbox=None))
