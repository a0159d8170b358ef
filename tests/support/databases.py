"""Real databases for tests, and runs in them: `database` gives a test each kind, empty and at the newest schema.

Tests below tests/unit run on SQLite. The folders of them that use a database stand in tests/integration as links, and run
from there on PostgreSQL. All other tests run on both kinds.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, make_url, select, text, update

from moonmind.db.clock import db_now_plus
from moonmind.db.tables import run
from moonmind.db.unit_of_work import Database
from moonmind.runs.attention import Attention, Option
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Advance, Wait, WaitingReason
from moonmind.runs.records import Claim, Event, NewRun, Run
from tests.support.waiting import until

SERVER = "MOONMIND_TEST_POSTGRES_URL"
HOST = UUID("00000000-0000-4000-8000-000000000001")
SQLITE = pytest.param("sqlite", marks=pytest.mark.sqlite)
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
UNIT = Path(__file__).parents[1] / "unit"
INTEGRATION = UNIT.with_name("integration")

T = TypeVar("T")

QUESTION = Attention.asking("a-kind", "Go on as it is?", [Option("go", "go on"), Option("stop", "stop here")])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the kinds of database that a test runs on."""
    if "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", _kinds(metafunc.definition.path), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what uses no database where a folder of unit tests is collected by its link, too."""
    items[:] = [item for item in items if item.get_closest_marker("postgres") or not _is_linked(item.path)]


def _kinds(path: Path) -> list[pytest.ParameterSet]:
    if _is_linked(path):
        return [POSTGRES]
    if not path.is_relative_to(UNIT):
        return [SQLITE, POSTGRES]
    link = INTEGRATION / path.relative_to(UNIT)
    if not link.exists():
        raise pytest.UsageError(
            f"{path} uses a database: link {link} or a folder above it, to run it on PostgreSQL, too"
        )
    return [SQLITE]


def _is_linked(path: Path) -> bool:
    return path.is_relative_to(INTEGRATION) and path.resolve().is_relative_to(UNIT.resolve())


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgres`."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a server on which databases may be made; the tests that need one are skipped without."""
    url = os.environ.get(SERVER)
    if not url:
        pytest.skip(f'{SERVER} is not set; `eval "$(script/services)"` finds or starts a server')
    return url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A new PostgreSQL database without any table, dropped after the test."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database at the newest schema for all tests of the session."""
    with new_database(postgres_server) as url:
        _migrate(url)
        yield url


@pytest.fixture
def postgres_url(migrated_postgres_url: str) -> str:
    """A PostgreSQL database at the newest schema, without rows but for the installation's."""
    return emptied(migrated_postgres_url)


def emptied(url: str) -> str:
    """Remove the rows of earlier tests; returns the URL."""
    engine = create_engine(url)
    with engine.begin() as connection:
        # Everything hangs on these; a TRUNCATE of tables this small takes a hundred times as long.
        connection.execute(text("UPDATE installation SET sandbox = NULL"))
        for table in ("run", "host", "gate", "api_token"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("schema") / "moonmind.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite_file: Path, tmp_path: Path) -> str:
    """A SQLite file at the newest schema, without rows but for the installation's."""
    path = tmp_path / "moonmind.db"
    shutil.copy(migrated_sqlite_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """The URL of an empty, migrated database."""
    url: str = request.getfixturevalue(f"{database_kind}_url")
    return url


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> str:
    """The URL of a database that was never migrated."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database."""
    made = Database(database_url)
    yield made
    made.dispose()


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make a database of its own on a server, for as long as the block lasts."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"moonmind_test_{uuid4().hex[:12]}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        # These databases outlive no crash: commits need not wait for the disk.
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()


def new_run(**values: Any) -> NewRun:
    """A request for a run, of a repository of its own unless one is named."""
    made = uuid4()
    plain: dict[str, Any] = {
        "id": made,
        "repository": f"octo/{made.hex[:12]}",
        "requested_key": "",
        "stage": Stage.DISCOVER,
        "chain_id": uuid4(),
        "deadline_seconds": 86400.0,
    }
    return NewRun(**(plain | values))


def add_run(database: Database, **values: Any) -> Run:
    """Create a run."""
    with database.write() as unit:
        return unit.runs.add(new_run(**values))


def add_later_run(database: Database, **values: Any) -> Run:
    """Create a run after all others by the database's clock."""
    next_instant(database)
    return add_run(database, **values)


def next_instant(database: Database) -> None:
    """Wait until the database's clock shows another time; SQLite's counts milliseconds."""
    before = _now(database)
    until(lambda: _now(database) > before, "the clock's next instant", pause=0.001)


def _now(database: Database) -> datetime:
    with database.read() as unit:
        return unit.now()


def read_run(database: Database, run_id: UUID) -> Run:
    """Read a run that is there."""
    with database.read() as unit:
        found = unit.runs.get(run_id)
    assert found is not None
    return found


def try_claim(database: Database, run_id: UUID, stage: Stage, **values: Any) -> Claim | None:
    """Claim a run's stage as a worker of the test's host."""
    plain: dict[str, Any] = {"owner": f"test:{uuid4()}", "chain_id": None, "host_id": HOST, "lease_seconds": 60.0}
    with database.write() as unit:
        return unit.claims.take(run_id, stage, **(plain | values))


def claim_run(database: Database, run_id: UUID, stage: Stage = Stage.DISCOVER, **values: Any) -> Claim:
    """Claim a run's stage, which must succeed."""
    claim = try_claim(database, run_id, stage, **values)
    assert claim is not None
    return claim


def reach(database: Database, stage: Stage, **values: Any) -> Run:
    """Create a run and bring it to a stage, each earlier one done with the outputs `{"from": <stage>}`."""
    made = add_run(database, **values)
    for before in list(Stage)[: stage.position]:
        claim = claim_run(database, made.id, before)
        with database.write() as unit:
            unit.outcomes.write(claim, Advance(list(Stage)[before.position + 1], {"from": before.value}))
    return read_run(database, made.id)


def a_wait(reason: WaitingReason = WaitingReason.AGENT, **values: Any) -> Wait:
    """Make the decision to wait a minute."""
    plain: dict[str, Any] = {
        "seconds": 60.0,
        "until": None,
        "checkpoint": None,
        "renews_deadline": False,
        "frees_slot": False,
    }
    return Wait(reason, **(plain | values))


def register_host(database: Database, host_id: UUID = HOST) -> None:
    """Make a host known."""
    with database.write() as unit:
        unit.hosts.register(host_id, "a-host")


def set_columns(database: Database, run_id: UUID, **values: Any) -> None:
    """Change columns of a run behind the program's back, as the passing of time would."""
    with database._engine.begin() as connection:
        connection.execute(update(run).where(run.c.id == run_id).values(**values))


def make_due(database: Database, run_id: UUID) -> None:
    """Let the run's turn come."""
    set_columns(database, run_id, not_before=db_now_plus(-1.0), dispatch_after=db_now_plus(-1.0))


def events_of(database: Database, run_id: UUID) -> list[Event]:
    """Read a run's events; they must be dense."""
    # Another thread may write between the looks: the row's number is taken before and after.
    before = read_run(database, run_id).event_seq
    with database.read() as unit:
        events = unit.events.after(run_id, 0, 1000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert before <= events[-1].seq <= read_run(database, run_id).event_seq
    return events


def suspend(database: Database, run: Run, reason: WaitingReason = WaitingReason.AGENT, seconds: float = 600.0) -> Run:
    """Claim the run's stage and suspend it; a run that waits for its agent holds a slot of the test's host."""
    claim = claim_run(database, run.id, run.stage)
    with database.write() as unit:
        if reason is WaitingReason.AGENT:
            assert unit.slots.take(run.id, claim.fence, HOST, 100)
        after = unit.outcomes.write(claim, a_wait(reason, seconds=seconds, checkpoint={"k": 1, "jobKey": "j"}))
    assert after is not None
    return after


def let_ask(database: Database, run: Run, question: Attention = QUESTION, seconds: float = 600.0) -> Run:
    """Claim the run's stage and let it ask a person."""
    claim = claim_run(database, run.id, run.stage)
    waits = a_wait(
        WaitingReason.NEEDS_ATTENTION, seconds=seconds, renews_deadline=True, frees_slot=True, attention=question
    )
    with database.write() as unit:
        after = unit.outcomes.write(claim, waits)
    assert after is not None
    return after


def due(database: Database, limit: int = 100) -> list[UUID]:
    """List the runs that a janitor would dispatch."""
    with database.read() as unit:
        return [one.id for one in unit.dispatch.overdue(limit)]


def event_types(database: Database, run_id: UUID) -> list[str]:
    """Read what happened to a run, in words."""
    return [event.type.value for event in events_of(database, run_id)]


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Read all rows, to prove that something wrote nothing."""
    with database._engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in run.metadata.sorted_tables
        }


def at_once(count: int, act: Callable[[int], T]) -> list[T | Exception]:
    """Do something in so many threads that start together; returns each one's result or exception."""
    gate = Barrier(count)

    def go(number: int) -> T | Exception:
        gate.wait(timeout=30)
        try:
            return act(number)
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))
