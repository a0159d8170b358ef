"""The named API tokens of an installation, for commands that need nothing else of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from moonmind.db.unit_of_work import Database
from moonmind.services.tokens import Tokens
from moonmind.settings import Settings


@contextmanager
def tokens_of(settings: Settings) -> Iterator[Tokens]:
    """Open the tokens in the database of these settings, which must exist; raises SchemaMismatch, Unavailable."""
    database = Database(settings.database_url, pool_size=1)
    try:
        database.check_schema()
        yield Tokens(database)
    finally:
        database.dispose()
