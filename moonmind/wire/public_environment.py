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


class RepositoryEnvironment(WireModel):
    """One that a repository needs, and where it stands on this host."""

    root: str
    image: str | None = None
    setup: list[str]
    start: list[str]
    variables: dict[str, str]
    paths: list[str]
    """Patterns of the files for whose changes it is meant."""
    shown_by: list[str] = Field(default_factory=list)
    """The build files that show it, where no recipe says it."""
    key_files: list[str]
    hosts: list[str]
    """The hosts that its build may reach."""
    notes: list[str] = Field(default_factory=list)
    key: str | None = None
    state: Annotated[BuildState, Shown()] | None = None
    """None where nothing is set up on this host, or nothing has to be."""
    message: str | None = None
    """Why its last build failed."""
    begun_at: Instant | None = None
    built_at: Instant | None = None
    build_seconds: float | None = None
    size_bytes: int | None = None


class RepositoryEnvironments(WireModel):
    """All that a repository needs at the head of a branch."""

    repository: str
    branch: str
    commit: str
    declared: bool
    """Its `.moonmind.yml` says so; otherwise its build files show it."""
    not_here: str | None = None
    """Why nothing is set up on this host."""
    environments: list[RepositoryEnvironment]
    notes: list[str]


class BuiltEnvironment(WireModel):
    """One that is ready."""

    root: str
    key: str
    build_seconds: float
    size_bytes: int


class BuiltEnvironments(WireModel):
    """All of a repository that are ready."""

    repository: str
    items: list[BuiltEnvironment]


class KeptEnvironment(WireModel):
    """One that was to be removed and was not."""

    environment: HostEnvironment
    reason: str


class RemovedEnvironments(WireModel):
    """What came of a removal."""

    removed: list[HostEnvironment]
    kept: list[KeptEnvironment]
