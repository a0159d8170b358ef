"""Who asks with an API token: the one of MOONMIND_API_TOKEN, or a named one of the database."""

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from moonmind.errors import MoonMindError, Unauthorized
from moonmind.runtime.container import Container
from moonmind.services import tokens

REMEMBERED_SECONDS = 3.0
"""For how long a token that was found good is not looked up again; one that is revoked is refused after that."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who sent a token."""

    name: str
    read_only: bool = False


class Bearers:
    """Looks tokens up, off the event loop, and remembers the good ones for a moment."""

    def __init__(self) -> None:
        self._good: dict[bytes, tuple[float, Bearer]] = {}

    async def admit(self, container: Container, given: Sequence[str]) -> Bearer:
        """Return whose token these Authorization headers hold; raises Unauthorized unless there is one, and it is good.

        Raises Unavailable where the database does not answer.
        """
        if not given:
            raise Unauthorized("an API token is required")
        if len(given) > 1:
            raise Unauthorized("the request has more than one Authorization header")
        scheme, _, text = given[0].partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise Unauthorized("the Authorization header must be `Bearer` and an API token")
        setting = container.settings.api_token
        if setting is not None and hmac.compare_digest(text.encode(), setting.get_secret_value().encode()):
            return Bearer(tokens.SETTING)
        return await self._named(container, text)

    async def still_admit(self, container: Container, given: Sequence[str]) -> bool:
        """Return False once the token of these headers is good no longer; raises nothing for a database that is away."""
        try:
            await self.admit(container, given)
        except Unauthorized:
            return False
        except MoonMindError as error:
            if not error.retryable:
                raise
        return True

    async def _named(self, container: Container, text: str) -> Bearer:
        key, now = hashlib.sha256(text.encode()).digest(), time.monotonic()
        if (known := self._good.get(key)) is not None and now < known[0]:
            return known[1]
        self._good = {one: good for one, good in self._good.items() if now < good[0]}
        found = await run_in_threadpool(container.tokens.admit, text)
        bearer = Bearer(found.name, found.read_only)
        # From before the look-up: what is revoked while it runs is remembered no longer than what was revoked before.
        self._good[key] = (now + REMEMBERED_SECONDS, bearer)
        return bearer
