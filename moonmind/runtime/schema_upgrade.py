"""The schema, brought up to date and looked at, before there is anything else to build."""

import fcntl
from pathlib import Path

from moonmind.db import schema
from moonmind.db.unit_of_work import Database
from moonmind.errors import SchemaMismatch
from moonmind.private import make_folder
from moonmind.settings import Settings


def upgrade_schema(settings: Settings) -> None:
    """Bring the database's schema to this program's version; raises SchemaMismatch, NotConfigured, Unavailable."""
    if settings.sqlite:
        settings.claim_var("MOONMIND_VAR_DIR")
    database = Database(settings.database_url, pool_size=1)
    try:
        if settings.sqlite:
            migrate_in_turn(database, settings.var_dir)
        else:
            database.migrate()
    finally:
        database.dispose()


def schema_version(settings: Settings) -> tuple[str | None, SchemaMismatch | None]:
    """Return the version of the database's schema, None where it has none, and what is wrong with it.

    A SQLite file that does not exist is not made. Raises NotConfigured, Unavailable.
    """
    found = None
    if not settings.sqlite or Path(settings.database_url.removeprefix("sqlite:///")).exists():
        database = Database(settings.database_url, pool_size=1)
        try:
            found = database.version()
        finally:
            database.dispose()
    return found, schema.mismatch(found)


def migrate_in_turn(database: Database, var_dir: Path) -> None:
    """Bring the embedded schema up to date; two processes that start at once take turns."""
    make_folder(var_dir, 0o750)
    with (var_dir / "migrate.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        database.migrate()
