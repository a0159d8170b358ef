"""The commands `db upgrade` and `db current`: the schema's version, wherever the package is installed."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from moonmind.cli.exits import Exit
from moonmind.cli.terminal_text import one_line
from moonmind.redact import Redactor
from moonmind.runtime import schema_upgrade
from moonmind.settings import DatabaseSettings, Settings, load_settings


def upgrade(*, as_json: bool) -> int:
    """Migrate the database; raises SchemaMismatch, NotConfigured, Unavailable."""
    settings = load_settings(DatabaseSettings)
    before, _ = schema_upgrade.schema_version(settings)
    schema_upgrade.upgrade_schema(settings)
    found, _ = schema_upgrade.schema_version(settings)
    if as_json:
        print(json.dumps({"database": place(settings), "before": before, "current": found, "upToDate": True}))
    elif before == found:
        print(f"{place(settings)}: the schema is already at version {found}.")
    else:
        print(f"{place(settings)}: upgraded the schema from {before or 'nothing'} to version {found}.")
    return Exit.FINE


def current(*, as_json: bool) -> int:
    """Print the version, and return 0 only if it is this program's; raises NotConfigured, Unavailable."""
    settings = load_settings(DatabaseSettings)
    found, wrong = schema_upgrade.schema_version(settings)
    if as_json:
        print(json.dumps({"database": place(settings), "current": found, "upToDate": wrong is None}))
    elif wrong is None:
        print(f"{place(settings)}: the schema is at version {found}, as this program needs.")
    else:
        print(f"{place(settings)}: {wrong.message}\nfix: {wrong.advice}")
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
