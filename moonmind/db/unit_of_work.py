"""One short transaction, and the database it is made in."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from moonmind.db import schema
from moonmind.db.agent_slots import Slots
from moonmind.db.api_tokens import ApiTokens
from moonmind.db.artifact_rows import Artifacts
from moonmind.db.attempt_rows import Attempts
from moonmind.db.audit_rows import Audits
from moonmind.db.claims import Claims
from moonmind.db.clock import db_now
from moonmind.db.conflicts import DuplicateIdempotencyKey
from moonmind.db.cooldowns import Cooldowns
from moonmind.db.database_errors import answering
from moonmind.db.dispatch_rows import Dispatch
from moonmind.db.engine import BUSY_SECONDS, IDLE_IN_TRANSACTION_SECONDS, WRITES, create_engine
from moonmind.db.event_rows import Events
from moonmind.db.host_rows import Hosts
from moonmind.db.operator_requests import Requests
from moonmind.db.outcomes import Outcomes
from moonmind.db.rescues import Rescues
from moonmind.db.run_rows import Runs
from moonmind.db.wakeups import Wakeups

__all__ = ["Database", "DuplicateIdempotencyKey", "UnitOfWork"]


class UnitOfWork:
    """What one transaction can read and write; it lives as long as the `with` block that gave it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.runs = Runs(connection)
        self.claims = Claims(connection)
        self.outcomes = Outcomes(connection)
        self.requests = Requests(connection)
        self.dispatch = Dispatch(connection)
        self.rescues = Rescues(connection)
        self.wakeups = Wakeups(connection)
        self.attempts = Attempts(connection)
        self.events = Events(connection)
        self.artifacts = Artifacts(connection)
        self.audits = Audits(connection)
        self.slots = Slots(connection)
        self.cooldowns = Cooldowns(connection)
        self.hosts = Hosts(connection)
        self.tokens = ApiTokens(connection)

    def now(self) -> datetime:
        """Read the one clock: the database's."""
        return self._connection.execute(select(db_now())).scalar_one()


class Database:
    """The place where runs are kept. Safe to share between threads; a forked process disposes of it first."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_seconds: float = BUSY_SECONDS,
        idle_in_transaction_seconds: float = IDLE_IN_TRANSACTION_SECONDS,
    ) -> None:
        self._url = url
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            busy_seconds=busy_seconds,
            idle_in_transaction_seconds=idle_in_transaction_seconds,
        )

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
        with answering(self._url), self._engine.connect().execution_options(**{WRITES: writes}) as connection:
            yield UnitOfWork(connection)
            if writes:
                connection.commit()

    def migrate(self) -> None:
        """Bring the schema to this program's version; safe while others do the same."""
        with answering(self._url):
            with self._engine.connect() as connection:
                if schema.current(connection) == schema.HEAD:
                    return
            schema.migrate(self._url)

    def version(self) -> str | None:
        """Return the version of the schema; None for a database that was never migrated.

        Raises NotConfigured and Unavailable.
        """
        with answering(self._url), self._engine.connect() as connection:
            return schema.current(connection)

    def check_schema(self) -> None:
        """Raise SchemaMismatch, with the command to run, unless the schema is this program's."""
        with answering(self._url), self._engine.connect() as connection:
            schema.check(connection)

    def installation_id(self) -> UUID:
        """Return the id of this installation, made by the first migration."""
        with self.read() as unit:
            return unit.hosts.installation()

    def dispose(self, *, close: bool = True) -> None:
        """Let the pool's connections go; `close=False` in a forked child, whose parent still uses them."""
        self._engine.dispose(close=close)
