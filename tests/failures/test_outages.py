"""The database and the broker are there late, or go away for a while: nobody is started again, and no run is lost."""

import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from sqlalchemy import make_url

from tests.support.engines import SHORT_LEASES, TEST_MODE, assert_published_once
from tests.support.processes import Process
from tests.support.tcp_proxy import TcpProxy
from tests.support.team import RUNS, Team, new_queue, rabbitmq_url, team
from tests.support.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq]


def wire_to(url: str, port: int) -> TcpProxy:
    """Lay a wire to a server."""
    server = make_url(url)
    return TcpProxy(server.host or "127.0.0.1", server.port or port)


def by(url: str, wire: TcpProxy) -> str:
    """Return the URL that leads over a wire."""
    return make_url(url).set(host="127.0.0.1", port=wire.port).render_as_string(hide_password=False)


@pytest.fixture
def database(postgres_url: str) -> Iterator[TcpProxy]:
    with wire_to(postgres_url, 5432) as wire:
        yield wire


@pytest.fixture
def broker() -> Iterator[TcpProxy]:
    with wire_to(rabbitmq_url(), 5672) as wire:
        yield wire


@pytest.fixture
def members(postgres_url: str, database: TcpProxy, broker: TcpProxy) -> Iterator[Team]:
    place = {
        "DATABASE_URL": by(postgres_url, database),
        "CELERY_BROKER_URL": by(rabbitmq_url(), broker),
        "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
    }
    with team(**place, **TEST_MODE, **SHORT_LEASES) as made:
        yield made


def waits_to_start(process: Process) -> bool:
    return "start.waiting" in process.text()


def test_parts_that_are_started_before_what_they_need_say_so_and_go_on(
    members: Team, database: TcpProxy, broker: TcpProxy
) -> None:
    database.cut()
    broker.cut()
    celery = ("celery", "-A", "moonmind.workflows.speckit_celery.tasks")
    queue = members.env["SPEC_WORKFLOW_CODEX_QUEUE"]
    worker = members.start("worker", *celery, "worker", "-B", "-Q", queue, "--loglevel=info")
    api = members.start("api", "uvicorn", "api_service.main:app", "--port", str(members.port))
    for process in (worker, api):
        until(partial(waits_to_start, process), f"{process.log.name} to say what it waits for")
        assert "the database" in process.text()
    database.restore()
    members.await_api(api)
    until(lambda: "Cannot connect to amqp" in worker.text(), "the worker to say that it waits for the broker")
    run_id = members.create()
    broker.restore()
    assert_published_once(members, members.succeed(run_id))
    assert (worker.alive, api.alive) == (True, True)


def test_a_database_that_is_away_is_answered_with_503_and_everybody_goes_on_when_it_is_back(
    members: Team, database: TcpProxy
) -> None:
    worker, api = members.worker(), members.api()
    # An agent is at work, so that there is something to go on with.
    run_id = members.create()
    members.await_run(run_id, lambda run: run["status"] == "running", "its first stage")
    database.cut()
    began = time.monotonic()
    for answer in (httpx.get(f"{members.url}{RUNS}", timeout=60), members.post(repository="moonmind/another")):
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert answer.json()["code"] == "unavailable"
    assert time.monotonic() - began < 10
    # Leases end meanwhile: whoever held one gives its stage up, and writes nothing under it later.
    until(lambda: "lease.not_renewed" in worker.text() or "job-poller.failed" in worker.text(), "the worker to notice")
    database.restore()
    assert_published_once(members, members.succeed(run_id))
    assert (worker.alive, api.alive) == (True, True)
