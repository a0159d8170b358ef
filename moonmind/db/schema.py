"""The schema's version: bring it up to date, or say which command does."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from moonmind.errors import SchemaMismatch

if TYPE_CHECKING:
    from alembic.config import Config  # Alembic is loaded by those who migrate: it is a tenth of a server's start

HEAD = "0004"
"""The version that this program was built for: the newest of the migrations."""
_VERSION = table("alembic_version", column("version_num"))
_NEWER = "Install the newer version of MoonMind that this database belongs to."
MIGRATIONS = Path(__file__).parent / "migrations"


def config(url: str) -> "Config":
    """Configure Alembic without its ini file, so that an installed package migrates too."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["url"] = url
    return made


def migrate(url: str) -> None:
    """Bring the database to the newest version; raises SchemaMismatch when a newer program made it."""
    from alembic import command
    from alembic.util.exc import CommandError

    try:
        command.upgrade(config(url), "head")
    except CommandError as error:
        raise SchemaMismatch(f"The database's schema cannot be migrated: {error}", remediation=_NEWER) from error


def current(connection: Connection) -> str | None:
    """Return the database's version; None when it was never migrated."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()


def check(connection: Connection) -> None:
    """Raise SchemaMismatch unless the database has exactly this program's version."""
    if (wrong := mismatch(current(connection))) is not None:
        raise wrong


def mismatch(found: str | None) -> SchemaMismatch | None:
    """Return what is wrong with a database of this version, which is None where it was never migrated."""
    if found == HEAD:
        return None
    if found is None:
        return SchemaMismatch(f"The database has no schema yet; this program needs version {HEAD}.")
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if found in known:
        return SchemaMismatch(f"The database's schema is version {found}; this program needs version {HEAD}.")
    return SchemaMismatch(
        f"The database's schema is version {found}, which this program does not know: a newer one made it.",
        remediation=_NEWER,
    )
