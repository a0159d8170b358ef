"""Closed doors with a reopening time: a credential without quota, a forge that asked to wait."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.tables import gate
from moonmind.db.upsert import upsert
from moonmind.runs.records import Gate


class Gates:
    """The gates of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self, name: str, until: datetime, reason: str) -> None:
        """Close a gate until an instant; what was said last holds."""
        upsert(self._connection, gate, {"name": name, "until": until, "reason": reason})

    def take(self, name: str, seconds: float, reason: str) -> bool:
        """Close a gate for so many seconds if it is open; False if it is closed: of several at once, one closes it."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(gate).values(name=name, until=db_now_plus(seconds), reason=reason)
        changed = {"until": statement.excluded.until, "reason": statement.excluded.reason}
        taken = statement.on_conflict_do_update(index_elements=["name"], set_=changed, where=gate.c.until <= db_now())
        return self._connection.execute(taken.returning(gate.c.name)).one_or_none() is not None

    def get(self, name: str) -> Gate | None:
        """Read a gate that is closed now."""
        query = select(*row_mapping.GATE).where(gate.c.name == name, gate.c.until > db_now())
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Gate(*row)
