"""How Alembic reaches the database: the one that the settings name, or the one that `moonmind.db.schema` passes."""

import sys
from logging.config import fileConfig
from typing import Any

from alembic import context
from sqlalchemy import Connection, text

from moonmind.db.database_errors import answering
from moonmind.db.engine import WRITES, create_engine
from moonmind.db.tables import metadata
from moonmind.errors import MoonMindError, NotConfigured
from moonmind.settings import load_settings

CELERYS_OWN = frozenset({"celery_taskmeta", "celery_tasksetmeta"})
_SETUP, _UNAVAILABLE = 4, 5
"""As the exit codes of `moonmind`: a setting is missing or refused, a service does not answer."""
LOCK = 7_226_004_251_113_377_001
"""Two processes that start together migrate one after the other; any number that no one else locks."""


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    return not (kind == "table" and name in CELERYS_OWN)


def _configure(**options: Any) -> None:
    context.configure(
        target_metadata=metadata, include_name=_ours, render_as_batch=True, transactional_ddl=True, **options
    )


def _offline(url: str) -> None:
    _configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def _online(url: str) -> None:
    engine = create_engine(url, pool_size=1)
    try:
        with engine.connect().execution_options(**{WRITES: True}) as connection:
            _prepare(connection)
            _configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
    finally:
        engine.dispose()


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # Outside of a transaction, or it has no effect: batch mode drops tables that others refer to.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

_migrate = _offline if context.is_offline_mode() else _online
_given: str | None = context.config.attributes.get("url")
if _given is not None:
    _migrate(_given)
else:
    # The command line `alembic`, which shows a sentence for errors of its own and a traceback for all others.
    try:
        settings = load_settings()
        if settings.sqlite and not context.is_offline_mode():
            settings.claim_var("MOONMIND_VAR_DIR")
        url = settings.database_url
        with answering(url):
            _migrate(url)
    except MoonMindError as error:
        sys.stderr.write(f"FAILED: {error.message.rstrip('.')}. {error.advice}\n")
        sys.exit(_SETUP if isinstance(error, NotConfigured) else _UNAVAILABLE)
