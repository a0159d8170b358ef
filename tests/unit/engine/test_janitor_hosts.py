"""Hosts that fall silent, and agents that were left at work: who takes them over, and when."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.janitor import Janitor
from moonmind.ports.agent import JobState
from moonmind.runs import naming
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus, WaitingReason
from moonmind.runs.naming import build_key, job_key
from tests.support.databases import HOST, event_types, everything, reach, read_run, register_host, set_columns, suspend
from tests.support.engine_room import Clock, IdleAgent, Outbox, complaints
from tests.support.sweeps import OTHER, build, fall_silent, watch
from tests.support.waiting import until


def test_the_runs_of_a_silent_host_are_given_to_the_others(
    database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent, outbox: Outbox, clock: Clock
) -> None:
    register_host(database)
    register_host(database, OTHER)
    run = suspend(database, reach(database, Stage.SUBMIT))
    fall_silent(database, HOST)
    other = build(database, dispatch_loop, agent, OTHER)
    # A database that was away makes all hosts look silent at first: they are given the time for another heartbeat.
    watch(other, clock, 299.0)
    assert read_run(database, run.id) == run
    clock.now += 1.0
    with capture_logs() as logs:
        other.sweep()
    until(lambda: outbox.of(run.id), "the dispatch")
    after = read_run(database, run.id)
    assert (after.agent_host, after.crashes, after.job_key) == (None, 1, None)
    assert complaints(logs, "host") == [("host.lost", str(HOST))]
    assert "host.lost" in event_types(database, run.id)


def test_a_janitor_that_did_not_watch_all_the_time_begins_again(
    database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent, clock: Clock
) -> None:
    register_host(database)
    register_host(database, OTHER)
    run = suspend(database, reach(database, Stage.SUBMIT))
    fall_silent(database, HOST)
    other = build(database, dispatch_loop, agent, OTHER)
    watch(other, clock, 240.0)
    clock.now += 181.0  # its machine slept, or its sweeps failed
    watch(other, clock, 240.0)
    assert read_run(database, run.id) == run


def test_a_host_does_not_give_up_itself(database: Database, janitor: Janitor, clock: Clock) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT))
    fall_silent(database, HOST)
    watch(janitor, clock, 360.0)
    assert read_run(database, run.id) == run


def test_a_janitor_sends_no_heartbeat_for_its_host(database: Database, janitor: Janitor, clock: Clock) -> None:
    register_host(database)
    before = everything(database)["host"]
    watch(janitor, clock, 360.0)
    assert everything(database)["host"] == before


@pytest.mark.parametrize(
    ("column", "end"),
    [
        ("cancel_requested_at", (RunStatus.CANCELLED, "cancelled")),
        ("deadline", (RunStatus.FAILED, "deadline")),
    ],
)
def test_a_run_that_should_stop_does_so_though_its_host_is_silent(
    database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent, outbox: Outbox, clock: Clock, column: str,
    end: tuple[RunStatus, str],
) -> None:  # fmt: skip
    register_host(database)
    run, healthy = (suspend(database, reach(database, Stage.SUBMIT)) for _ in range(2))
    waiter = suspend(database, reach(database, Stage.SUBMIT), WaitingReason.CAPACITY)
    set_columns(database, run.id, **{column: db_now_plus(-1.0)})
    # Its janitor is one of an API that runs no stages: there is no other host that could take over.
    janitor = build(database, dispatch_loop, agent)
    watch(janitor, clock, 360.0)
    assert not read_run(database, run.id).status.terminal
    fall_silent(database, HOST)
    clock.now += 60.0
    with capture_logs() as logs:
        janitor.sweep()
    after = read_run(database, run.id)
    assert after.error is not None
    assert (after.status, after.error.code) == end
    assert read_run(database, healthy.id) == healthy
    assert complaints(logs) == ["run.stranded"]
    until(lambda: outbox.of(waiter.id), "the dispatch of the run that waited for the slot")


@pytest.mark.parametrize("job", [build_key("v1-0a1b", 1), naming.test_key(UUID(int=7), 1, "after-1")])
def test_a_job_of_others_is_not_stopped_with_a_run_that_waited_for_its_slot(
    database: Database, janitor: Janitor, agent: IdleAgent, clock: Clock, job: str
) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT), WaitingReason.ENVIRONMENT)
    set_columns(database, run.id, agent_host=HOST, job_key=job, cancel_requested_at=db_now())
    fall_silent(database, HOST)
    with database.write() as unit:
        unit.hosts.register(OTHER, "another")
        assert [one.id for one in unit.rescues.close_stranded(300.0)] == [run.id]
    watch(janitor, clock, 60.0)
    assert agent.stopped == []
    assert read_run(database, run.id).job_key is None


def test_an_agent_that_could_not_be_stopped_is_tried_again_until_it_is(
    database: Database, janitor: Janitor, agent: IdleAgent, clock: Clock
) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT))
    with database.write() as unit:
        unit.hosts.register(OTHER, "another")
    # Closed by a process of another host, or by one that died right after.
    fall_silent(database, HOST)
    set_columns(database, run.id, cancel_requested_at=db_now())
    with database.write() as unit:
        assert [one.id for one in unit.rescues.close_stranded(300.0)] == [run.id]
    agent.unstoppable = True
    with capture_logs() as logs:
        watch(janitor, clock, 120.0)
    assert complaints(logs) == ["agent.not_stopped"] * 3
    agent.unstoppable = False
    janitor.sweep()
    assert agent.stopped == []  # not at every sweep
    clock.now += 60.0
    janitor.sweep()
    assert agent.stopped == ["j"]
    assert read_run(database, run.id).job_key is None
    watch(janitor, clock, 60.0)
    assert agent.stopped == ["j"]


def test_a_host_that_returns_ends_the_agents_of_runs_that_went_on_without_it(
    database: Database, janitor: Janitor, agent: IdleAgent, clock: Clock
) -> None:
    register_host(database)
    register_host(database, OTHER)
    lost, kept = (suspend(database, reach(database, Stage.SUBMIT)) for _ in range(2))
    for run in (lost, kept):
        agent.at(job_key(run.id, Stage.SUBMIT, 1), JobState.RUNNING)
    agent.at("no-run/submit-1", JobState.RUNNING)
    watch(janitor, clock, 60.0)
    assert agent.stopped == []
    set_columns(database, lost.id, agent_host=OTHER)
    with capture_logs() as logs:
        watch(janitor, clock, 60.0)
    assert agent.stopped == [job_key(lost.id, Stage.SUBMIT, 1)]
    assert complaints(logs, "run_id") == [("agent.orphan", str(lost.id))]
    set_columns(database, lost.id, agent_host=None)
    watch(janitor, clock, 60.0)
    assert len(agent.stopped) == 1
