"""A named API token as its operators see it."""

from typing import Literal

from moonmind.wire.base import Instant, WireModel


class ApiToken(WireModel):
    """One token, without its text."""

    name: str
    read_only: bool
    state: Literal["valid", "expired", "revoked"]
    created_at: Instant
    created_by: str | None = None
    """The OS user who created it."""
    expires_at: Instant | None = None
    revoked_at: Instant | None = None


class NewApiToken(ApiToken):
    """A token just created: the only time that its text is there."""

    token: str
