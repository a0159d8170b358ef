"""Named API tokens: create, list, revoke, and find whose a token is."""

import builtins
import hashlib
import re
import secrets
from datetime import datetime, timedelta

from moonmind import wire
from moonmind.db.unit_of_work import Database
from moonmind.errors import InvalidRequest, NotFound, TokenNameTaken, Unauthorized
from moonmind.runs.records import ApiToken

SETTING = "api-token"
"""The name of whoever asks with MOONMIND_API_TOKEN; no token of the database can have it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TEXT = re.compile(r"mm_[A-Za-z0-9_-]{43}")
_RANDOM_BYTES = 32
_LONGEST = timedelta(days=36_500)


class Tokens:
    """The named API tokens of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, *, read_only: bool = False, expires: timedelta | datetime | None = None, actor: str | None
    ) -> wire.NewApiToken:
        """Create a token, whose text is only in this answer; `expires` is its lifetime, or its end.

        Raises InvalidRequest and TokenNameTaken.
        """
        if not _NAME.fullmatch(name) or name == SETTING:
            raise InvalidRequest(
                f"{name[:80]!r} cannot be the name of a token",
                field="name",
                remediation="Use 1 to 64 of the characters a-z, 0-9, `.`, `_` and `-`, the first a letter or digit; "
                f"{SETTING} is the name of MOONMIND_API_TOKEN.",
            )
        text = f"mm_{secrets.token_urlsafe(_RANDOM_BYTES)}"
        with self._database.write() as uow:
            now = uow.now()
            expires_at = now + expires if isinstance(expires, timedelta) else expires
            if expires_at is not None and not now < expires_at <= now + _LONGEST:
                raise InvalidRequest(
                    f"a token cannot end at {expires_at:%Y-%m-%d %H:%M} UTC",
                    field="expires",
                    remediation=f"Give a date from today on, or a number of days such as 30d; {_LONGEST.days} days at most.",
                )
            added = uow.tokens.add(name, _digest(text), read_only=read_only, created_by=actor, expires_at=expires_at)
        if added is None:
            raise TokenNameTaken(f"there is, or was, a token with the name {name}")
        return wire.NewApiToken(token=text, **_view(added).model_dump())

    def list(self) -> builtins.list[wire.ApiToken]:
        """List all tokens that were ever created, by name."""
        with self._database.read() as uow:
            return [_view(token) for token in uow.tokens.list()]

    def revoke(self, name: str) -> wire.ApiToken:
        """End a token; doing it again changes nothing. Raises NotFound."""
        with self._database.write() as uow:
            revoked = uow.tokens.revoke(name)
        if revoked is None:
            raise NotFound(
                f"there is no token with the name {name[:80]!r}", remediation="`moonmind token list` lists the tokens."
            )
        return _view(revoked)

    def admit(self, text: str) -> ApiToken:
        """Return the token of this text; raises Unauthorized unless it is good now, by the database's clock."""
        if not _TEXT.fullmatch(text):
            raise Unauthorized("the API token is not valid")
        with self._database.read() as uow:
            found = uow.tokens.find(_digest(text))
        if found is None:
            raise Unauthorized("the API token is not valid")
        if found.revoked_at is not None:
            raise Unauthorized(f"the API token {found.name} was revoked")
        if found.expired:
            raise Unauthorized(f"the API token {found.name} has expired")
        return found

    def any_valid(self) -> bool:
        """Return True if a token could be used now."""
        with self._database.read() as uow:
            return uow.tokens.any_valid()


def no_token(address: str) -> InvalidRequest:
    """Report that other machines reach a server, and nothing keeps them from using it."""
    return InvalidRequest(
        f"{address} can be reached from other machines, and no token protects the API",
        remediation="Create a token with `moonmind token create NAME`, or set MOONMIND_API_TOKEN (for instance to "
        "`openssl rand -hex 32`), or serve on 127.0.0.1.",
    )


def _digest(text: str) -> str:
    """Return what is stored of a token. A fast hash will do: nobody can guess 256 random bits, as they could a password."""
    return hashlib.sha256(text.encode()).hexdigest()


def _view(token: ApiToken) -> wire.ApiToken:
    return wire.ApiToken(
        name=token.name,
        read_only=token.read_only,
        state="revoked" if token.revoked_at is not None else "expired" if token.expired else "valid",
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
