"""Sessions on a database that goes again: for `doctor` where MoonMind never ran, and for a run that is only rehearsed."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from moonmind import wire
from moonmind.cli.session import Runs, Session, connect_to_what_is_there, connect_with, database_file
from moonmind.ports.check import Check, CheckStatus
from moonmind.runtime.server_file import ServerInfo
from moonmind.settings import Settings, load_settings


class Trial:
    """A session on a database of its own, which goes when it is closed."""

    def __init__(self, inner: Session, place: Path, folder: Path) -> None:
        self._inner = inner
        self._place = place
        self._folder = folder
        self.settings: Settings = inner.settings
        self.runs: Runs = inner.runs

    def doctor(self, repository: str | None = None) -> Iterable[Check]:
        """Probe everything; what is said of the database is said of the real place."""
        there_is_none = Check(
            "database",
            CheckStatus.SKIPPED,
            f"{self._place} does not exist yet; `moonmind up` or the first `moonmind run` makes it",
        )
        found = self._inner.doctor(repository)
        return [there_is_none if check.name == "database" and not check.failed else check for check in found]

    def attended(self) -> bool:
        """See `Session`."""
        return self._inner.attended()

    def server(self) -> ServerInfo | None:
        """See `Session`."""
        return self._inner.server()

    def close(self) -> None:
        """See `Session`."""
        self._inner.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Rehearsing:
    """A session that can rehearse a run; its database goes when it is closed."""

    def __init__(self, inner: Any, folder: Path) -> None:
        self._inner = inner
        self._folder = folder

    def preflight(self, repository: str) -> Iterable[Check]:
        """Probe what a run needs, but for the services that only a real one would meet."""
        found: Iterable[Check] = self._inner.preflight.run(repository)
        return found

    def rehearse(self, body: wire.CreateRun) -> tuple[wire.SpecWorkflowRun, Mapping[str, Any]]:
        """Discover a run's work, and leave no run."""
        rehearsal = self._inner.rehearse(body)
        return rehearsal.run, rehearsal.found

    def close(self) -> None:
        """Let go of the database, and remove it."""
        self._inner.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def connect_to_rehearse() -> Rehearsing:
    """Build the container on a database that goes again; the mirrors are those of the real one, where it exists."""
    settings = load_settings()
    state = settings.state_dir
    place = database_file(settings)
    if state is None and (place is None or place.exists()):
        there: Any = connect_to_what_is_there()
        state = there.state_folder
        there.close()
    folder = _folder()
    # What goes wrong is what is shown; a log of it would say it twice.
    return Rehearsing(_connect_anew(settings, state, folder, level="CRITICAL"), folder)


def connect_to_probe() -> Session:
    """Build the container for `doctor`: over the real database, or where there is none over one that goes again."""
    settings = load_settings()
    place = database_file(settings)
    if place is None or place.exists():
        return connect_to_what_is_there()
    folder = _folder()
    return Trial(_connect_anew(settings, settings.state_dir, folder), place, folder)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="moonmind-trial-"))


def _connect_anew(settings: Settings, state: Path | None, place: Path, *, level: str = "WARNING") -> Session:
    """Build the container on an empty database in a folder that is removed if that fails."""
    try:
        return connect_with(
            load_settings(
                DATABASE_URL=f"sqlite:///{place / 'moonmind.db'}",
                MOONMIND_VAR_DIR=place,
                MOONMIND_STATE_DIR=state or settings.state_folder("doctor"),
            ),
            level=level,
        )
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
