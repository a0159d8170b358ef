"""An engine on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.engine.publisher import Publisher
from tests.support.engine_room import EngineRoom, Outbox


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Iterator[EngineRoom]:
    """An engine with ports that do what the test says."""
    made = EngineRoom(database, tmp_path)
    yield made
    made.keeper.close()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def publisher(database: Database, outbox: Outbox) -> Iterator[Publisher]:
    made = Publisher(database, outbox.dispatcher)
    yield made
    made.close()
