"""The API over the real run service on a SQLite file; no engine runs, so that runs stay as a test puts them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import delete
from structlog.testing import LogCapture

from api_service.app import create_app
from api_service.peers import OwnerOf
from moonmind import bootstrap
from moonmind.db.tables import api_token, run
from moonmind.db.unit_of_work import Database
from moonmind.runtime.container import Container
from moonmind.settings import Settings
from tests.support.databases import add_run
from tests.support.peers import ours

Build = Callable[..., Container]
Connect = Callable[..., TestClient]
Keep = Callable[..., None]


@dataclass
class Lasting:
    """What all tests of the API share; the container is built in the first of them, in its clean environment."""

    folder: Path
    container: Container | None = None


@pytest.fixture(autouse=True)
def lines() -> Iterator[LogCapture]:
    """What was logged, as dictionaries."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    yield capture
    structlog.configure(**before)


@pytest.fixture(scope="session")
def lasting(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    """A folder with a database, and the one container over it that serves every test with the usual settings."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copy(migrated_sqlite_file, folder / "moonmind.db")
    made = Lasting(folder)
    yield made
    if made.container is not None:
        made.container.close()


@pytest.fixture
def build(lasting: Lasting) -> Iterator[Build]:
    """Return containers over one database without runs, with further settings named as in the environment."""
    made: list[Container] = []

    def builder(**settings: Any) -> Container:
        if not settings:
            return usual
        made.append(_built(lasting.folder, **settings))
        return made[-1]

    usual = lasting.container = lasting.container or _built(lasting.folder)
    with usual.database._engine.begin() as connection:
        for table in (run, api_token):
            connection.execute(delete(table))
    yield builder
    for container in made:
        container.close()


def _built(folder: Path, **settings: Any) -> Container:
    plain: dict[str, Any] = {
        "DATABASE_URL": f"sqlite:///{folder / 'moonmind.db'}",
        "SPEC_WORKFLOW_TEST_MODE": True,
        "MOONMIND_VAR_DIR": folder / "var",
        "MOONMIND_STATE_DIR": folder / "state",
        "MOONMIND_LOCAL_REPOS": folder / "repositories",
        "SPEC_WORKFLOW_ARTIFACT_ROOT": folder / "artifacts",
    }
    return bootstrap.build(Settings(_env_file=None, **(plain | settings)), publishes=False)


@pytest.fixture
def connect(build: Build) -> Iterator[Connect]:
    """Open clients: from which peer, under which host name, to a server with which settings."""
    open_clients: list[TestClient] = []

    def connector(
        peer: str = "127.0.0.1", base_url: str = "http://localhost:8000", owner_of: OwnerOf = ours, **settings: Any
    ) -> TestClient:
        app = create_app(container=build(**settings), owner_of=owner_of)
        client = TestClient(app, base_url=base_url, client=(peer, 50000), raise_server_exceptions=False)
        client.__enter__()
        open_clients.append(client)
        return client

    yield connector
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()


@pytest.fixture
def container(build: Build) -> Container:
    """The container that answers a client with the usual settings."""
    return build()


@pytest.fixture
def database(container: Container) -> Database:
    """The rows behind the API, for a test to put runs into the states that it needs."""
    return container.database


@pytest.fixture
def run_id(database: Database) -> UUID:
    return add_run(database, repository="moonmind/reference", requested_key="spec-42").id


@pytest.fixture
def keep(container: Container) -> Keep:
    """List a file of a run and write it where the artifact store has it."""

    def keeper(run_id: UUID, path: str, content: bytes, content_type: str, *, growing: bool = False) -> None:
        place = container.settings.artifact_root / str(run_id) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        size = None if growing else len(content)
        with container.database.write() as unit:
            unit.artifacts.save(run_id, type="codex_logs", path=path, content_type=content_type, size=size, digest=None)

    return keeper


@pytest.fixture
def raising(client: TestClient) -> Callable[[Exception], str]:
    """Add a route to the application that raises; returns its address."""

    def add(error: Exception) -> str:
        def fail() -> None:
            raise error

        app: Any = client.app
        app.add_api_route("/raising", fail)
        return "/raising"

    return add
