"""Fixtures of an engine on a real database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from moonmind.db.tables import api_token, cooldown, host, run
from moonmind.db.unit_of_work import Database
from moonmind.engine import janitor as janitor_module
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.janitor import Janitor
from tests.support.engine_room import Clock, EngineRoom, IdleAgent, Outbox
from tests.support.sweeps import build


@pytest.fixture(scope="session")
def lasting_database(
    request: pytest.FixtureRequest, database_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for all tests of a folder: its statements are compiled once, not in every test."""
    if database_kind == "sqlite":
        file = tmp_path_factory.mktemp("engine") / "moonmind.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite_file"), file)
        url = f"sqlite:///{file}"
    else:
        url = request.getfixturevalue("migrated_postgres_url")
    made = Database(url)
    yield made
    made.dispose()


@pytest.fixture
def database(lasting_database: Database) -> Database:
    """A real database without rows but for the installation's."""
    with lasting_database._engine.begin() as connection:
        for table in (run, host, cooldown, api_token):
            connection.execute(delete(table))
    return lasting_database


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
def dispatch_loop(database: Database, outbox: Outbox) -> Iterator[DispatchLoop]:
    made = DispatchLoop(database, outbox.dispatcher)
    yield made
    made.close()


@pytest.fixture
def agent() -> IdleAgent:
    return IdleAgent()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The janitors' own clock."""
    made = Clock()
    monkeypatch.setattr(janitor_module, "time", made)
    return made


@pytest.fixture
def janitor(database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent) -> Janitor:
    return build(database, dispatch_loop, agent)
