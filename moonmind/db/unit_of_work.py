"""One short transaction, and the database it is made in."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from moonmind.db import schema
from moonmind.db.artifacts import Artifacts
from moonmind.db.attempts import Attempts
from moonmind.db.audits import Audits
from moonmind.db.clock import db_now
from moonmind.db.conflicts import DuplicateIdempotencyKey
from moonmind.db.engine import WRITES, create_engine
from moonmind.db.events import Events
from moonmind.db.gates import Gates
from moonmind.db.hosts import Hosts
from moonmind.db.recovery import Recovery
from moonmind.db.runs import Runs
from moonmind.db.slots import Slots
from moonmind.db.transitions import Transitions
from moonmind.errors import NotConfigured, SchemaMismatch, Unavailable

__all__ = ["Database", "DuplicateIdempotencyKey", "UnitOfWork"]


_UNDEFINED = frozenset({"42P01", "42703"})
"""PostgreSQL's codes for a table and a column that are not there."""
_READ_ONLY = "25006"
"""PostgreSQL's code for a server that takes no writes for a while: a standby before its promotion, a failover."""
_REFUSED = re.compile(
    r'FATAL: .*(?:(?:role|database) ".*" (?:does not exist|is not permitted to log in)|authentication failed'
    r"|no pg_hba\.conf entry|permission denied)|no password supplied"
    r"|unable to open database file|attempt to write a readonly database"
)
"""How both databases say that the URL, its credential or the file's rights are wrong: waiting mends none of it."""
_REMEDY = (
    "Correct DATABASE_URL, or the database in CELERY_RESULT_BACKEND: the role, its password and the database must exist "
    "there; a SQLite file and its folder must be writable."
)


class UnitOfWork:
    """What one transaction can read and write; it lives as long as the `with` block that gave it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.runs = Runs(connection)
        self.transitions = Transitions(connection)
        self.recovery = Recovery(connection)
        self.attempts = Attempts(connection)
        self.events = Events(connection)
        self.artifacts = Artifacts(connection)
        self.audits = Audits(connection)
        self.slots = Slots(connection)
        self.gates = Gates(connection)
        self.hosts = Hosts(connection)

    def now(self) -> datetime:
        """Read the one clock: the database's."""
        return self._connection.execute(select(db_now())).scalar_one()


class Database:
    """The place where runs are kept. Safe to share between threads; a forked process disposes of it first."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._url = url
        self._engine = create_engine(url, pool_size=pool_size)

    def write(self) -> AbstractContextManager[UnitOfWork]:
        """Open a transaction that commits at the end of the block and is undone by an exception.

        Raises Unavailable when the database does not answer; a commit that is cut off may or may not have happened.
        """
        return self._unit(writes=True)

    def read(self) -> AbstractContextManager[UnitOfWork]:
        """Open a transaction that only reads; raises Unavailable when the database does not answer."""
        return self._unit(writes=False)

    @contextmanager
    def _unit(self, *, writes: bool) -> Iterator[UnitOfWork]:
        with _answering(), self._engine.connect().execution_options(**{WRITES: writes}) as connection:
            yield UnitOfWork(connection)
            if writes:
                connection.commit()

    def migrate(self) -> None:
        """Bring the schema to this program's version; safe while others do the same."""
        with _answering():
            schema.migrate(self._url)

    def check_schema(self) -> None:
        """Raise SchemaMismatch, with the command to run, unless the schema is this program's."""
        with _answering(), self._engine.connect() as connection:
            schema.check(connection)

    def installation_id(self) -> UUID:
        """Give the id of this installation, made by the first migration."""
        with self.read() as unit:
            return unit.hosts.installation()

    def dispose(self, *, close: bool = True) -> None:
        """Let the pool's connections go; `close=False` in a forked child, whose parent still uses them."""
        self._engine.dispose(close=close)


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what the database refuses into what a person can do; a refused statement stays what it is: our defect."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        said = str(getattr(error, "orig", None) or error).strip()
        cause = said.partition("\n")[0]
        if isinstance(error, DBAPIError) and _lacks_schema(error):
            raise SchemaMismatch(f"The database's schema is not this program's: {cause}.") from error
        if isinstance(error, OperationalError) and (refusal := _REFUSED.search(said)):
            # A server that is reached under several addresses refuses on a later line than the first.
            start = said.rfind("\n", 0, refusal.start()) + 1
            whole = said[start:].partition("\n")[0].strip(" -")
            raise NotConfigured(f"The database refused: {whole}", remediation=_REMEDY) from error
        away = isinstance(error, OperationalError | InterfaceError | PoolTimeout) or error.connection_invalidated
        if away or _sqlstate(error) == _READ_ONLY:
            raise Unavailable(f"The database does not answer: {cause}") from error
        raise


def _lacks_schema(error: DBAPIError) -> bool:
    return _sqlstate(error) in _UNDEFINED or str(error.orig).startswith(("no such table", "no such column"))


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
