"""What the commands work with: the container, opened late and closed always; tests put their own in its place."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from uuid import UUID

from moonmind import wire
from moonmind.errors import InvalidRequest, NotFound
from moonmind.ports.check import Check
from moonmind.runtime.server_file import ServerInfo
from moonmind.settings import Settings, load_settings

_PREFIX = re.compile(r"[0-9a-f-]{4,36}")
_PAGE = 100
_LOOKED_AT = 5_000
"""Newest runs among which a short id is looked for."""


class Content(Protocol):
    """A piece of an artifact, as the run service opens it."""

    @property
    def growing(self) -> bool:
        """Return True if the artifact may still grow."""
        ...

    @property
    def chunks(self) -> Iterable[bytes]:
        """Return the requested bytes, in chunks."""
        ...


class Runs(Protocol):
    """What the commands ask of the run service."""

    def create(self, body: wire.CreateRun, *, idempotency_key: str | None = None) -> wire.SpecWorkflowRun:
        """Accept a run."""
        ...

    def get(self, run_id: UUID) -> wire.SpecWorkflowRun:
        """Show a run whole."""
        ...

    def page(
        self, *, status: str | None = None, repository: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> wire.RunPage:
        """List runs, newest first."""
        ...

    def open_artifact(self, run_id: UUID, path: str, *, start: int = 0, length: int | None = None) -> Content:
        """Open an artifact, or a range of it."""
        ...

    def retry(self, run_id: UUID, body: wire.RetryRun) -> wire.SpecWorkflowRun:
        """Start an ended run again."""
        ...

    def cancel(self, run_id: UUID) -> wire.SpecWorkflowRun:
        """Ask a run to stop."""
        ...


class Session(Protocol):
    """The container, as far as the commands see it."""

    @property
    def settings(self) -> Settings:
        """The settings it was built from."""
        ...

    @property
    def runs(self) -> Runs:
        """The one service behind every command."""
        ...

    def doctor(self, repository: str | None = None) -> Iterable[Check]:
        """Probe everything that a run needs."""
        ...

    def attended(self) -> bool:
        """Return True if a worker has reported in recently."""
        ...

    def server(self) -> ServerInfo | None:
        """Find the server that takes up what is queued."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


Connect = Callable[[], Session]


class NothingHere(NotFound):
    """No run was ever made in this folder; whoever only looks must not make a database to find none in."""

    code = "nothing_here"

    def __init__(self, place: Path) -> None:
        super().__init__(
            f"no runs here: {place} does not exist; is this the folder MoonMind runs in?",
            remediation="Go to that folder, or start here: `moonmind run OWNER/NAME`.",
        )


def connect() -> Session:
    """Build the real container from this process's settings; only what is wrong is logged, on standard error."""
    return connect_with(load_settings())


def connect_to_what_is_there() -> Session:
    """Build it for a command that makes no run; raises NothingHere where there is no database yet."""
    settings = load_settings()
    place = database_file(settings)
    if place is not None and not place.exists():
        raise NothingHere(place)
    return connect_with(settings)


@contextmanager
def opened(connect: Connect) -> Iterator[Session]:
    """Open a session for one command."""
    session = connect()
    try:
        yield session
    finally:
        session.close()


def database_file(settings: Settings) -> Path | None:
    """Return the SQLite file; None if the database is a server's."""
    return Path(settings.database_url.removeprefix("sqlite:///")) if settings.sqlite else None


def connect_with(settings: Settings, *, level: str = "WARNING") -> Session:
    """Build the real container from these settings; `level` is the least that is logged."""
    from moonmind import bootstrap, log
    from moonmind.redact import Redactor

    log.configure(settings.model_copy(update={"log_level": level}), Redactor(settings.secrets()))
    return bootstrap.build(settings, publishes=False)


def find_run(runs: Runs, text: str) -> UUID:
    """Find the run that an id or the beginning of one names. Raises InvalidRequest and NotFound."""
    wanted = text.strip().lower()
    try:
        return UUID(wanted)
    except ValueError:
        pass  # not whole: a beginning, or nothing at all
    if not _PREFIX.fullmatch(wanted):
        raise InvalidRequest(
            f"{text[:80]!r} is no run id", remediation="Give the id, or at least its first 4 characters."
        )
    found = [run_id for run_id in _newest(runs) if str(run_id).startswith(wanted)]
    if not found:
        raise NotFound(f"no run's id begins with {wanted}")
    if len(found) > 1:
        named = ", ".join(str(run_id) for run_id in found[:5]) + (", ..." if len(found) > 5 else "")
        raise InvalidRequest(f"{len(found)} runs' ids begin with {wanted}: {named}", remediation="Give more of the id.")
    return found[0]


def _newest(runs: Runs) -> Iterator[UUID]:
    cursor: str | None = None
    for _ in range(_LOOKED_AT // _PAGE):
        page = runs.page(limit=_PAGE, cursor=cursor)
        yield from (run.id for run in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return
