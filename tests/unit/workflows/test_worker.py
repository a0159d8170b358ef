"""A worker process: what it refuses to start with, and what it starts and gives back."""

import gc
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import signals

from moonmind.db.unit_of_work import Database
from moonmind.workflows.speckit_celery import worker
from tests.support.databases import add_run, claim_run, event_types, read_run
from tests.support.waiting import until

AMQP = "amqp://guest:guest@127.0.0.1:1//"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a worker of its own, which no earlier test built a container for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(worker, "_container", None)
    yield tmp_path
    if worker._container is not None:
        worker._container.close()


@pytest.fixture
def on_rabbitmq(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of one of several processes, its database up to date."""
    url = f"sqlite:///{place / 'shared.db'}"
    monkeypatch.setenv("CELERY_BROKER_URL", AMQP)
    monkeypatch.setenv("DATABASE_URL", url)
    database = Database(url)
    database.migrate()
    database.dispose()
    return place


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        worker._init()
    assert ended.value.code == 4
    return capsys.readouterr().err


def test_a_worker_on_an_old_schema_is_refused_with_the_command_to_run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", AMQP)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{place / 'empty.db'}")
    assert "fix: Run `alembic upgrade head`" in refusal(capsys)


def test_a_worker_in_the_wrong_place_or_with_wrong_settings_is_refused(
    on_rabbitmq: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (on_rabbitmq / "checkout" / ".git").mkdir(parents=True)
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(on_rabbitmq / "checkout" / "state"))
    assert "fix: Set MOONMIND_STATE_DIR" in refusal(capsys)
    monkeypatch.setenv("MOONMIND_MAX_AGENTS", "none")
    assert "MOONMIND_MAX_AGENTS: " in refusal(capsys)


def test_a_worker_that_may_start_heals_when_it_is_ready_and_gives_back_at_its_end(on_rabbitmq: Path) -> None:
    worker._init()
    container = worker.container()
    assert container is worker.container()
    assert not {"janitor", "job-poller"} & set(_threads())
    worker._ready()
    assert {"janitor", "job-poller"} <= set(_threads())
    worker._shutdown()
    assert not {"janitor", "job-poller"} & set(_threads())


def test_a_worker_is_known_as_a_host_before_its_first_message(on_rabbitmq: Path) -> None:
    worker._init()
    with worker.container().database.read() as unit:
        assert [host.id for host in unit.hosts.list()] == [worker.container().host.id]


def test_a_worker_that_is_ending_gives_back_what_its_slow_stages_hold(on_rabbitmq: Path) -> None:
    worker._init()
    container = worker.container()
    container.grace_seconds = 0.1
    claim = claim_run(container.database, add_run(container.database).id, host_id=container.host.id)
    with container.keeper.keep(claim) as lease:
        worker._ending()
        until(lambda: event_types(container.database, claim.run.id)[-1] == "lease.returned", "the lease's return")
        assert lease.gone()
    assert read_run(container.database, claim.run.id).crashes == 0


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.filterwarnings("ignore:Exception ignored.*sqlite3:pytest.PytestUnraisableExceptionWarning")
def test_a_forked_child_builds_a_container_of_its_own(on_rabbitmq: Path) -> None:
    parents = worker.container()
    worker._forked()
    assert worker.container() is not parents
    assert worker.container().host == parents.host
    gc.collect()  # the parent's connections, which no parent is here to close: Python 3.13 warns of them


def test_attaching_twice_is_attaching_once() -> None:
    worker.attach()
    before = len(signals.worker_ready.receivers)
    worker.attach()
    assert len(signals.worker_ready.receivers) == before
    assert before >= 1
