"""The broker goes away and comes back: nobody who asks for a run notices, and no run is lost or done twice."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support import git_repos
from tests.support.engines import SHORT_LEASES, TEST_MODE, Engine, assert_published_once, attempts, engine_of
from tests.support.tcp_proxy import TcpProxy
from tests.support.team import rabbitmq_url
from tests.support.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq]


@pytest.fixture
def wire() -> Iterator[TcpProxy]:
    """The wire to the broker."""
    broker = make_url(rabbitmq_url())
    with TcpProxy(broker.host or "127.0.0.1", broker.port or 5672) as made:
        yield made


@pytest.fixture
def engine(wire: TcpProxy, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An API and a worker that reach the broker over the wire."""
    broker = make_url(rabbitmq_url()).set(host="127.0.0.1", port=wire.port).render_as_string(hide_password=False)
    with engine_of("rabbitmq", request, TEST_MODE | SHORT_LEASES | {"CELERY_BROKER_URL": broker}) as made:
        yield made


def said(engine: Engine, words: str) -> bool:
    return any(words in process.text() for process in engine.team.processes)


def test_a_run_is_accepted_at_once_without_a_broker_and_succeeds_when_it_is_back(
    engine: Engine, wire: TcpProxy
) -> None:
    engine.start()
    wire.cut()
    began = time.monotonic()
    run_id = engine.team.create()
    assert time.monotonic() - began < 3
    until(lambda: said(engine, "dispatch.unconfirmed"), "a request that the broker did not take")
    assert engine.team.show(run_id)["status"] == "pending"
    wire.restore()
    assert_published_once(engine.team, engine.team.succeed(run_id))


def test_a_run_goes_on_when_its_agent_ends_while_the_broker_is_away(
    engine: Engine, wire: TcpProxy, tmp_path: Path
) -> None:
    script, release = tmp_path / "script.json", tmp_path / "release"
    steps = [{"wait_for": str(release)}, {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    engine.start()
    run_id = engine.team.create()
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    wire.cut()
    release.touch()
    job = engine.team.state / "jobs" / run_id / "submit-1"
    until((job / "result.json").exists, "the agent's end")
    until(lambda: said(engine, "dispatch.unconfirmed"), "a request that the broker did not take")
    wire.restore()
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run)
    assert attempts(engine.team, run, "submit") == {1}


@pytest.mark.full
def test_a_stage_that_works_while_the_broker_is_away_is_neither_stopped_nor_done_again(
    engine: Engine, wire: TcpProxy, tmp_path: Path
) -> None:
    reached, release, pushes = tmp_path / "reached", tmp_path / "release", tmp_path / "pushes"
    script, begin = tmp_path / "script.json", tmp_path / "begin"
    steps = [{"wait_for": str(begin)}, {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    worker = engine.start()
    run_id = engine.team.create()
    engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
    git_repos.install_hook(
        engine.team.bare(),
        "pre-receive",
        f"echo push >> {pushes}; touch {reached}; while [ ! -e {release} ]; do sleep 0.05; done",
    )
    begin.touch()
    until(reached.exists, "the push")
    wire.cut()
    until(lambda: "consumer: Cannot connect" in worker.text(), "the worker's notice that its broker is gone")
    release.touch()
    engine.team.await_run(run_id, lambda run: bool(run["pullRequestUrl"]), "the end of publish without a broker")
    wire.restore()
    assert_published_once(engine.team, engine.team.succeed(run_id))
    assert pushes.read_text() == "push\n"
