"""The environments of a host as people who run MoonMind there see them."""

from typing import Annotated

from pydantic import Field

from moonmind.ports.environments import BuildState
from moonmind.wire.base import Instant, Shown, WireModel


class HostEnvironment(WireModel):
    """One that is on this host, or is being built there."""

    key: str
    repository: str
    root: str
    """The folder that it is for, `.` for the whole repository."""
    state: Annotated[BuildState, Shown()]
    setup: list[str]
    start: list[str]
    run: str | None = None
    """The one run that it is for; none: it is for every run of the repository."""
    size_bytes: int = Field(ge=0)
    begun_at: Instant | None = None
    """When its build began, while it is being built."""
    built_at: Instant | None = None
    used_at: Instant | None = None
    """When it was lent last, or built."""
    build_seconds: float | None = None
    lent_to: list[str] = Field(default_factory=list)
    """The runs whose agents work in it now."""


class HostEnvironments(WireModel):
    """All that are on this host, by repository and root."""

    items: list[HostEnvironment]
    size_bytes: int = Field(ge=0)
    space_bytes: int = Field(ge=0)
    """How much of them the host keeps."""


class KeptEnvironment(WireModel):
    """One that was to be removed and was not."""

    environment: HostEnvironment
    reason: str


class RemovedEnvironments(WireModel):
    """What came of a removal."""

    removed: list[HostEnvironment]
    kept: list[KeptEnvironment]
