"""The schema's version: bring it up to date, or say which command does."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from moonmind.errors import SchemaMismatch

_NEWER = "Install the newer version of MoonMind that this database belongs to."
MIGRATIONS = Path(__file__).parent / "migrations"


def config(url: str) -> Config:
    """Configure Alembic without its ini file, so that an installed package migrates too."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["url"] = url
    return made


def migrate(url: str) -> None:
    """Bring the database to the newest version; raises SchemaMismatch when a newer program made it."""
    try:
        command.upgrade(config(url), "head")
    except CommandError as error:
        raise SchemaMismatch(f"The database's schema cannot be migrated: {error}", remediation=_NEWER) from error


def head() -> str:
    """Return the version that this program was built for."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None  # noqa: S101 (the package ships its migrations)
    return newest


def current(connection: Connection) -> str | None:
    """Return the database's version; None when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def check(connection: Connection) -> None:
    """Raise SchemaMismatch unless the database has exactly this program's version."""
    if (wrong := mismatch(current(connection))) is not None:
        raise wrong


def mismatch(found: str | None) -> SchemaMismatch | None:
    """Return what is wrong with a database of this version, which is None where it was never migrated."""
    wanted = head()
    if found == wanted:
        return None
    if found is None:
        return SchemaMismatch(f"The database has no schema yet; this program needs version {wanted}.")
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if found in known:
        return SchemaMismatch(f"The database's schema is version {found}; this program needs version {wanted}.")
    return SchemaMismatch(
        f"The database's schema is version {found}, which this program does not know: a newer one made it.",
        remediation=_NEWER,
    )
