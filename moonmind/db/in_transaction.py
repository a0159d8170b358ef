"""What reads and writes rows of one kind in one transaction."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


class InTransaction:
    """Rows as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _upsert(self, table: Table, values: dict[str, Any], *, kept: frozenset[str] = frozenset()) -> None:
        """Insert the row, or change the one that is there; columns named in `kept` keep what they hold then."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        keys = [column.name for column in table.primary_key]
        statement = insert(table).values(**values)
        changed = {name: statement.excluded[name] for name in values if name not in kept and name not in keys}
        self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
