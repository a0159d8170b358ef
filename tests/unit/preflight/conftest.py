"""An engine on a real database."""

from tests.support.engine_fixtures import (  # noqa: F401 - fixtures
    agent,
    clock,
    database,
    dispatch_loop,
    janitor,
    lasting_database,
    outbox,
    room,
)
