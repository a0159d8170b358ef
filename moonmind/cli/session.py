"""What the commands work with: the container that this process's settings describe, closed when the command is done."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

from moonmind.errors import InvalidRequest, NotFound
from moonmind.runtime.container import Container
from moonmind.services.run_service import RunService
from moonmind.settings import Settings, load_settings

_PREFIX = re.compile(r"[0-9a-f-]{4,36}")
_PAGE = 100
_LOOKED_AT = 5_000
"""Newest runs among which a short id is looked for."""


class NothingHere(NotFound):
    """There is no database yet; a command that only reads must not make one."""

    code = "nothing_here"

    def __init__(
        self, place: Path, remediation: str = "Change to that folder, or start a run here: `moonmind run OWNER/NAME`."
    ) -> None:
        super().__init__(
            f"no runs here: {place} does not exist; is this the folder MoonMind runs in?", remediation=remediation
        )


@contextmanager
def connected(settings: Settings | None = None, *, log_level: str = "WARNING") -> Iterator[Container]:
    """Build the container from these settings, or this process's; what is logged goes to standard error."""
    from moonmind import bootstrap, log
    from moonmind.redact import Redactor

    settings = settings if settings is not None else load_settings()
    log.configure(settings.log_format, log_level, Redactor(settings.secrets()))
    with closing(bootstrap.build(settings, publishes=False)) as container:
        yield container


@contextmanager
def connected_to_existing() -> Iterator[Container]:
    """Build the container for a command that makes no run; raises NothingHere where there is no database yet."""
    settings = load_settings()
    if (place := missing_database(settings)) is not None:
        raise NothingHere(place)
    with connected(settings) as container:
        yield container


@contextmanager
def connected_to_look() -> Iterator[Container]:
    """Build the container over the runs there are, or over a database that is removed where there are none.

    Nothing is logged: what goes wrong is in the answer.
    """
    settings = load_settings()
    if missing_database(settings) is None:
        with connected(settings, log_level="CRITICAL") as container:
            yield container
    else:
        with connected_to_temporary(settings.state_dir, log_level="CRITICAL") as container:
            yield container


@contextmanager
def connected_to_temporary(state_dir: Path | None, *, log_level: str = "WARNING") -> Iterator[Container]:
    """Build the container over an empty database that is removed at the end; mirrors are kept in `state_dir`."""
    folder = Path(tempfile.mkdtemp(prefix="moonmind-"))
    try:
        settings = load_settings(
            DATABASE_URL=f"sqlite:///{folder / 'moonmind.db'}",
            MOONMIND_VAR_DIR=folder,
            MOONMIND_STATE_DIR=state_dir or load_settings().state_folder("doctor"),
        )
        with connected(settings, log_level=log_level) as container:
            yield container
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def database_file(settings: Settings) -> Path | None:
    """Return the file that holds the runs; None where a server holds them."""
    return Path(settings.database_url.removeprefix("sqlite:///")) if settings.sqlite else None


def missing_database(settings: Settings) -> Path | None:
    """Return where the database would be made; None where it exists."""
    place = database_file(settings)
    return place if place is not None and not place.exists() else None


def find_run(runs: RunService, text: str) -> UUID:
    """Find the run that an id or the beginning of one names. Raises InvalidRequest and NotFound."""
    wanted = text.strip().lower()
    try:
        return UUID(wanted)
    except ValueError:
        pass  # not whole: a beginning, or nothing at all
    if not _PREFIX.fullmatch(wanted):
        raise InvalidRequest(
            f"{text[:80]!r} is not a run ID",
            remediation="Use the whole ID, or at least the first 4 of its digits and letters a to f; `moonmind runs` lists them.",
        )
    found = [run_id for run_id in _newest(runs) if str(run_id).startswith(wanted)]
    if not found:
        raise NotFound(f"no run ID starts with {wanted}")
    if len(found) > 1:
        named = ", ".join(str(run_id) for run_id in found[:5]) + (", ..." if len(found) > 5 else "")
        raise InvalidRequest(
            f"{len(found)} run IDs start with {wanted}: {named}", remediation="Use more characters of the ID."
        )
    return found[0]


def _newest(runs: RunService) -> Iterator[UUID]:
    cursor: str | None = None
    for _ in range(_LOOKED_AT // _PAGE):
        page = runs.page(limit=_PAGE, cursor=cursor)
        yield from (run.id for run in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return
