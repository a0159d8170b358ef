"""The sweep: what was lost is sent again, what was abandoned is taken back."""

import threading

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.janitor import Janitor
from moonmind.errors import Unavailable
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus, WaitingReason
from moonmind.runs.records import Run
from tests.support.databases import (
    HOST,
    add_run,
    at_once,
    claim_run,
    due,
    everything,
    let_ask,
    make_due,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
)
from tests.support.engine_room import Clock, IdleAgent, Outage, Outbox, complaints
from tests.support.sweeps import OTHER, build
from tests.support.waiting import until


def expire(database: Database, run: Run, **columns: object) -> None:
    set_columns(database, run.id, lease_until=db_now_plus(-1.0), **columns)


# --- leases --------------------------------------------------------------------------------------------------------


def test_a_run_whose_worker_died_is_dispatched_in_the_same_sweep(
    database: Database, janitor: Janitor, outbox: Outbox
) -> None:
    run, healthy = reach(database, Stage.SUBMIT), add_run(database)
    claim_run(database, run.id, Stage.SUBMIT)
    claim_run(database, healthy.id)
    expire(database, run)
    with capture_logs() as logs:
        janitor.sweep()
    until(lambda: outbox.requests, "the dispatch")
    assert [(request.run_id, request.stage) for request in outbox.requests] == [(run.id, Stage.SUBMIT)]
    assert (read_run(database, run.id).crashes, read_run(database, healthy.id).crashes) == (1, 0)
    assert complaints(logs) == ["lease.expired"]


def test_the_third_lost_worker_ends_the_run_stops_its_agent_and_frees_its_slot(
    database: Database, janitor: Janitor, outbox: Outbox, agent: IdleAgent, clock: Clock
) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT))
    waiter = suspend(database, reach(database, Stage.SUBMIT), WaitingReason.CAPACITY)
    for crashes in (1, 2, 3):
        assert agent.stopped == []
        make_due(database, run.id)
        claim_run(database, run.id, Stage.SUBMIT)
        expire(database, run)
        clock.now += 60.0
        with capture_logs():
            janitor.sweep()
        assert read_run(database, run.id).crashes == crashes
    after = read_run(database, run.id)
    assert after.error is not None
    assert (after.status, after.error.code) == (RunStatus.FAILED, "worker_lost")
    assert agent.stopped == ["j"]
    with database.read() as unit:
        assert unit.slots.used(HOST) == 0
    until(lambda: outbox.of(waiter.id), "the dispatch of the run that waited for the slot")


def test_an_agent_of_another_host_is_left_to_it(
    database: Database, dispatch_loop: DispatchLoop, agent: IdleAgent
) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT))
    make_due(database, run.id)
    claim_run(database, run.id, Stage.SUBMIT)
    expire(database, run, crashes=2)
    with capture_logs():
        build(database, dispatch_loop, agent, OTHER).sweep()
    assert read_run(database, run.id).status is RunStatus.FAILED
    assert agent.stopped == []


def test_an_agent_that_cannot_be_stopped_keeps_the_sweep_from_nothing(
    database: Database, janitor: Janitor, outbox: Outbox, agent: IdleAgent
) -> None:
    register_host(database)
    run, other = suspend(database, reach(database, Stage.SUBMIT)), add_run(database)
    make_due(database, run.id)
    claim_run(database, run.id, Stage.SUBMIT)
    expire(database, run, crashes=2)
    make_due(database, other.id)
    agent.unstoppable = True
    with capture_logs() as logs:
        janitor.sweep()
    until(lambda: outbox.of(other.id), "the other run's dispatch")
    assert complaints(logs) == ["lease.expired", "agent.not_stopped"]


# --- dispatches ----------------------------------------------------------------------------------------------------


def test_what_is_due_and_unheard_of_is_dispatched_once(database: Database, janitor: Janitor, outbox: Outbox) -> None:
    late, early = add_run(database), add_run(database)
    make_due(database, late.id)
    janitor.sweep()
    until(lambda: outbox.requests, "the dispatch")
    janitor.sweep()
    janitor._dispatch_loop.close()
    assert [request.run_id for request in outbox.requests] == [late.id]
    assert read_run(database, early.id) == early


def test_two_janitors_at_once_dispatch_a_row_once(database: Database, agent: IdleAgent, outbox: Outbox) -> None:
    register_host(database)
    runs = [add_run(database) for _ in range(20)]
    for run in runs:
        make_due(database, run.id)
    loops = [DispatchLoop(database, outbox.dispatcher) for _ in range(2)]
    janitors = [build(database, one, agent) for one in loops]
    assert at_once(2, lambda number: janitors[number].sweep()) == [None, None]
    for one in loops:
        one.close()
    assert sorted(request.run_id for request in outbox.requests) == sorted(run.id for run in runs)


def test_a_sweep_of_a_quiet_house_changes_no_run(database: Database, janitor: Janitor, outbox: Outbox) -> None:
    register_host(database)
    add_run(database)
    suspend(database, reach(database, Stage.SUBMIT))
    claim_run(database, add_run(database).id)
    before = everything(database)["run"]
    janitor.sweep()
    assert (everything(database)["run"], outbox.made) == (before, 0)


def test_a_sweep_replaces_a_dispatch_thread_that_hangs(database: Database, agent: IdleAgent, outbox: Outbox) -> None:
    dispatch_loop = DispatchLoop(database, outbox.dispatcher, hang_seconds=0.02)
    janitor = build(database, dispatch_loop, agent)
    event = outbox.hanging = threading.Event()
    first, second = add_run(database), add_run(database)
    make_due(database, first.id)
    janitor.sweep()
    until(lambda: outbox.waits == 1, "a publish that hangs")
    outbox.hanging = None
    make_due(database, second.id)

    def requested() -> bool:
        janitor.sweep()
        return bool(outbox.requests)

    with capture_logs():
        until(requested, "a dispatch by another thread")
    event.set()
    assert [request.run_id for request in outbox.of(second.id)] == [second.id]
    dispatch_loop.close()


# --- questions and outages -----------------------------------------------------------------------------------------


def test_a_question_that_nobody_answered_ends_the_run(database: Database, janitor: Janitor) -> None:
    asked, late = (let_ask(database, reach(database, Stage.SUBMIT)) for _ in range(2))
    set_columns(database, late.id, not_before=db_now_plus(-1.0))
    with capture_logs() as logs:
        janitor.sweep()
    after = read_run(database, late.id)
    assert after.error is not None
    assert (after.status, after.error.code) == (RunStatus.FAILED, "unanswered")
    assert read_run(database, asked.id) == asked
    assert complaints(logs, "run_id") == [("run.unanswered", str(late.id))]


def test_a_sweep_without_a_database_says_so_and_the_next_one_does_its_work(
    database: Database, agent: IdleAgent, outbox: Outbox
) -> None:
    line = Outage(database, times=1)
    dispatch_loop = DispatchLoop(line, outbox.dispatcher)
    janitor = build(line, dispatch_loop, agent)
    run = add_run(database)
    make_due(database, run.id)
    with pytest.raises(Unavailable):
        janitor.sweep()
    assert due(database) == [run.id]
    janitor.sweep()
    dispatch_loop.close()
    assert [request.run_id for request in outbox.requests] == [run.id]


def test_a_started_janitor_sweeps_by_itself_until_closed(database: Database, janitor: Janitor, outbox: Outbox) -> None:
    run = add_run(database)
    make_due(database, run.id)
    janitor.start()
    until(lambda: outbox.requests, "the dispatch")
    janitor.close()
