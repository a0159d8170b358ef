"""Let `doctor` look at a folder in which MoonMind never ran, without leaving a database there."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from moonmind.cli.session import Runs, Session, connect_to_what_is_there, connect_with, database_file
from moonmind.engine.server_file import ServerInfo
from moonmind.ports.check import Check, CheckStatus
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


def connect_to_probe() -> Session:
    """Build the container for `doctor`: over the real database, or where there is none over one that goes again."""
    settings = load_settings()
    place = database_file(settings)
    if place is None or place.exists():
        return connect_to_what_is_there()
    folder = Path(tempfile.mkdtemp(prefix="moonmind-doctor-"))
    try:
        state = settings.state_dir or settings.state_folder("doctor")
        inner = connect_with(
            load_settings(
                DATABASE_URL=f"sqlite:///{folder / 'moonmind.db'}", MOONMIND_VAR_DIR=folder, MOONMIND_STATE_DIR=state
            )
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Trial(inner, place, folder)
