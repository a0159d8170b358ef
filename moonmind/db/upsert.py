"""Insert, or change the row that is there."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, values: dict[str, Any], *, kept: frozenset[str] = frozenset()) -> None:
    """Write the row of this primary key; columns named in `kept` keep what they hold if the row is there."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    keys = [column.name for column in table.primary_key]
    statement = insert(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in kept and name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
