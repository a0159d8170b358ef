"""Named API tokens: kept by the digest of their text, and never removed, so that a name means one token for good."""

import builtins
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from moonmind.db.clock import db_now
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import api_token
from moonmind.runs.records import ApiToken

_IS_OVER = and_(api_token.c.expires_at.is_not(None), api_token.c.expires_at <= db_now())
_TOKEN = (
    api_token.c.name,
    api_token.c.read_only,
    api_token.c.created_by,
    api_token.c.created_at,
    api_token.c.expires_at,
    api_token.c.revoked_at,
    _IS_OVER,
)


class ApiTokens(InTransaction):
    """The named API tokens of one transaction."""

    def add(
        self, name: str, digest: str, *, read_only: bool, created_by: str | None, expires_at: datetime | None
    ) -> ApiToken | None:
        """Store a token; None where there is, or was, one of this name."""
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(api_token).values(
            name=name,
            digest=digest,
            read_only=read_only,
            created_by=created_by,
            created_at=db_now(),
            expires_at=expires_at,
        )
        added = statement.on_conflict_do_nothing(index_elements=["name"]).returning(api_token.c.name)
        return None if self._connection.execute(added).first() is None else self.get(name)

    def get(self, name: str) -> ApiToken | None:
        """Read the token of a name."""
        return self._first(api_token.c.name == name)

    def find(self, digest: str) -> ApiToken | None:
        """Read the token of a digest, whether it is still good or not."""
        return self._first(api_token.c.digest == digest)

    def list(self) -> builtins.list[ApiToken]:
        """List all tokens that were ever created, by name."""
        return [ApiToken(*row) for row in self._connection.execute(select(*_TOKEN).order_by(api_token.c.name))]

    def revoke(self, name: str) -> ApiToken | None:
        """End a token; one that is revoked already keeps its moment. None where there is no such token."""
        unrevoked = update(api_token).where(api_token.c.name == name, api_token.c.revoked_at.is_(None))
        self._connection.execute(unrevoked.values(revoked_at=db_now()))
        return self.get(name)

    def any_valid(self) -> bool:
        """Return True if a token is neither revoked nor expired."""
        lasts = or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > db_now())
        query = select(api_token.c.name).where(api_token.c.revoked_at.is_(None), lasts).limit(1)
        return self._connection.execute(query).first() is not None

    def _first(self, condition: ColumnElement[bool]) -> ApiToken | None:
        row = self._connection.execute(select(*_TOKEN).where(condition)).first()
        return None if row is None else ApiToken(*row)
