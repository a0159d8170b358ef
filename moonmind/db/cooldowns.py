"""Times until which a service is not asked: a credential without quota, a forge that asked to wait."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import cooldown
from moonmind.runs.records import Cooldown


class Cooldowns(InTransaction):
    """The cooldowns of one transaction."""

    def set(self, name: str, until: datetime, reason: str) -> None:
        """Write a cooldown until an instant; the last one written holds."""
        self._upsert(cooldown, {"name": name, "until": until, "reason": reason})

    def begin(self, name: str, seconds: float, reason: str) -> bool:
        """Begin a cooldown of so many seconds; False while one of this name is in force: of several at once, one begins it."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(cooldown).values(name=name, until=db_now_plus(seconds), reason=reason)
        changed = {"until": statement.excluded.until, "reason": statement.excluded.reason}
        taken = statement.on_conflict_do_update(
            index_elements=["name"], set_=changed, where=cooldown.c.until <= db_now()
        )
        return self._connection.execute(taken.returning(cooldown.c.name)).one_or_none() is not None

    def get(self, name: str) -> Cooldown | None:
        """Read a cooldown that is in force now."""
        query = select(*row_mapping.COOLDOWN).where(cooldown.c.name == name, cooldown.c.until > db_now())
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Cooldown(*row)
