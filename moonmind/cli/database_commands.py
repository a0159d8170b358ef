"""The commands `db upgrade` and `db current`: the schema's version, wherever the package is installed."""

from pathlib import Path
from urllib.parse import urlsplit

from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.terminal_text import one_line
from moonmind.redact import Redactor
from moonmind.runtime import schema_upgrade
from moonmind.settings import DatabaseSettings, Settings, load_settings


def upgrade(printer: Printer) -> int:
    """Migrate the database; raises SchemaMismatch, NotConfigured, Unavailable."""
    settings = load_settings(DatabaseSettings)
    before, _ = schema_upgrade.schema_version(settings)
    schema_upgrade.upgrade_schema(settings)
    found, _ = schema_upgrade.schema_version(settings)
    done = f"upgraded the schema from {before or 'nothing'} to version {found}."
    said = f"the schema is already at version {found}." if before == found else done
    document = {"database": place(settings), "before": before, "current": found, "upToDate": True}
    printer.answer(document, lambda _: print(f"{place(settings)}: {said}"))
    return Exit.FINE


def current(printer: Printer) -> int:
    """Print the version, and return 0 only if it is this program's; raises NotConfigured, Unavailable."""
    settings = load_settings(DatabaseSettings)
    found, wrong = schema_upgrade.schema_version(settings)
    good = f"the schema is at version {found}, as this program needs."
    said = good if wrong is None else f"{wrong.message}\nfix: {wrong.advice}"
    document = {"database": place(settings), "current": found, "upToDate": wrong is None}
    printer.answer(document, lambda _: print(f"{place(settings)}: {said}"))
    return Exit.FINE if wrong is None else Exit.FAILED


def place(settings: Settings) -> str:
    """Return where the database is, without a password: a file, or a server's address."""
    if not settings.sqlite:
        parts = urlsplit(settings.database_url.replace("+psycopg", "", 1))
        server = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}@" if parts.username else ""
        return one_line(Redactor(settings.secrets()).text(f"{parts.scheme}://{user}{server}{parts.path}"))
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    return one_line(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
