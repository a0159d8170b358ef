"""Dispatches on their way to the broker: each at most once, none in the way of another."""

import threading
from uuid import UUID

from structlog.testing import capture_logs

from moonmind.db.clock import db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop, LeaveDue
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RetryMode, RunStatus
from moonmind.runs.records import Run
from tests.support.databases import add_run, claim_run, due, make_due, reach, read_run, set_columns
from tests.support.engine_room import Outage, Outbox, complaints
from tests.support.waiting import until


def sent(outbox: Outbox, count: int) -> None:
    until(lambda: len(outbox.requests) >= count, f"{count} dispatches", pause=0.005)


def make_overdue(database: Database, run_id: UUID) -> Run:
    make_due(database, run_id)
    return read_run(database, run_id)


# --- what a dispatch says ------------------------------------------------------------------------------------------


def test_the_first_dispatch_of_a_run_has_the_chain_id_that_creation_promised(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = add_run(database)
    dispatch_loop.notify(run)
    sent(outbox, 1)
    (request,) = outbox.requests
    assert (request.run_id, request.stage, request.chain_id, request.expires_seconds) == (
        run.id,
        Stage.DISCOVER,
        run.chain_id,
        10.0,
    )


def test_the_first_dispatch_of_a_retry_has_the_chain_id_that_the_answer_promised(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = add_run(database)
    promised = UUID(int=42)
    set_columns(database, run.id, status=RunStatus.FAILED, dispatch_after=None, completed_at=run.created_at, fence=3)
    with database.write() as unit:
        retried = unit.requests.retry(
            run.id, RetryMode.RESUME_FAILED_TASK, notes=None, deadline_seconds=60.0, chain_id=promised
        )
    assert retried is not None
    dispatch_loop.notify(retried)
    sent(outbox, 1)
    assert outbox.requests[0].chain_id == promised


def test_further_dispatches_are_chains_of_their_own_from_where_the_run_is(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = reach(database, Stage.APPLY)
    for number, expires in enumerate((10.0, 20.0, 40.0), start=1):
        dispatch_loop.overdue(make_overdue(database, run.id))
        sent(outbox, number)
        assert outbox.requests[-1].expires_seconds == expires
    assert [request.stage for request in outbox.requests] == [Stage.APPLY] * 3
    assert len({run.chain_id, *(request.chain_id for request in outbox.requests)}) == 4
    assert read_run(database, run.id).dispatches == 3


def test_a_dispatch_says_when_it_comes_again_before_it_is_sent(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = add_run(database)
    dispatch_loop.overdue(make_overdue(database, run.id))
    sent(outbox, 1)
    after = read_run(database, run.id)
    assert after.dispatch_after is not None
    with database.read() as unit:
        ahead = (after.dispatch_after - unit.now()).total_seconds()
    assert 5 < ahead <= 10
    assert due(database) == []


# --- what is not published -----------------------------------------------------------------------------------------


def test_a_row_that_has_changed_since_it_was_seen_is_not_dispatched(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    faster, claimed, closed, last = (add_run(database) for _ in range(4))
    seen = [make_overdue(database, run.id) for run in (faster, claimed, closed, last)]
    with database.write() as unit:
        assert unit.dispatch.note(faster.id, dispatches=0)
        assert unit.requests.request_cancel(closed.id)
    claim_run(database, claimed.id)
    for run in seen:
        dispatch_loop.overdue(run)
    sent(outbox, 1)
    assert [request.run_id for request in outbox.requests] == [last.id]


def test_two_processes_that_saw_one_row_dispatch_it_once(database: Database, outbox: Outbox) -> None:
    runs = [make_overdue(database, add_run(database).id) for _ in range(10)]
    both = [DispatchLoop(database, outbox.dispatcher) for _ in range(2)]
    for run in runs:
        for one in both:
            one.overdue(run)
    for one in both:
        one.close()
    assert sorted(request.run_id for request in outbox.requests) == sorted(run.id for run in runs)


def test_without_a_database_nothing_is_sent_and_the_next_dispatch_goes(database: Database, outbox: Outbox) -> None:
    first, second = (make_overdue(database, add_run(database).id) for _ in range(2))
    dispatch_loop = DispatchLoop(Outage(database, times=1), outbox.dispatcher)
    with capture_logs() as logs:
        dispatch_loop.overdue(first)
        dispatch_loop.overdue(second)
        sent(outbox, 1)
    assert [request.run_id for request in outbox.requests] == [second.id]
    assert complaints(logs) == ["dispatch.not_recorded"]
    assert due(database) == [first.id]
    dispatch_loop.close()


def test_the_command_line_leaves_a_run_due_for_running_processes(database: Database) -> None:
    run = add_run(database)
    assert due(database) == []
    LeaveDue(database).notify(run)
    assert due(database) == [run.id]


def test_the_command_line_has_done_its_work_where_the_row_cannot_be_made_due(database: Database) -> None:
    run = add_run(database)
    with capture_logs() as logs:
        LeaveDue(Outage(database, times=1)).notify(run)
    assert complaints(logs) == ["dispatch.not_recorded"]
    assert read_run(database, run.id) == run


# --- a broker that refuses -----------------------------------------------------------------------------------------


def test_an_unconfirmed_dispatch_is_not_counted_and_comes_again_soon(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = reach(database, Stage.SUBMIT)
    set_columns(database, run.id, dispatches=4)
    outbox.refuse()
    with capture_logs() as logs:
        dispatch_loop.overdue(make_overdue(database, run.id))
        until(lambda: not outbox.refusals and read_run(database, run.id).dispatches == 4, "the dispatch taken back")
    assert (outbox.requests, complaints(logs)) == ([], ["dispatch.unconfirmed"])
    after = read_run(database, run.id)
    assert after.dispatch_after is not None
    with database.read() as unit:
        assert 0 < (after.dispatch_after - unit.now()).total_seconds() <= 5
    assert dispatch_loop.ready


def test_a_first_dispatch_that_is_refused_comes_again_sooner_than_the_row_said(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    run = add_run(database)
    promised = run.dispatch_after
    assert promised is not None
    set_columns(database, run.id, dispatch_after=db_now_plus(600.0))
    outbox.refuse()
    with capture_logs():
        dispatch_loop.notify(run)
        until(
            lambda: (read_run(database, run.id).dispatch_after or run.created_at) < promised,
            "the dispatch taken back",
            5,
        )
    assert read_run(database, run.id).dispatches == 0


def test_a_defect_while_publishing_does_not_end_the_thread(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox
) -> None:
    outbox.refusals.append(RuntimeError("nobody planned for this"))
    first, second = add_run(database), add_run(database)
    with capture_logs() as logs:
        dispatch_loop.notify(first)
        dispatch_loop.notify(second)
        sent(outbox, 1)
    assert [request.run_id for request in outbox.requests] == [second.id]
    assert complaints(logs) == ["dispatch.failed"]
    assert outbox.made == 1


# --- too much, and the end -----------------------------------------------------------------------------------------


def test_what_does_not_fit_is_left_to_the_janitor(database: Database, outbox: Outbox) -> None:
    dispatch_loop = DispatchLoop(database, outbox.dispatcher, backlog=1)
    outbox.hanging = threading.Event()
    first, second, third = (make_overdue(database, add_run(database).id) for _ in range(3))
    dispatch_loop.notify(first)
    until(lambda: outbox.waits == 1, "the first at the broker", pause=0.005)
    dispatch_loop.overdue(second)
    with capture_logs() as logs:
        dispatch_loop.overdue(third)
    assert complaints(logs, "run_id") == [("dispatch.dropped", str(third.id))]
    outbox.hanging.set()
    sent(outbox, 2)
    assert third.id in due(database)
    dispatch_loop.close()


def test_a_full_backlog_that_nobody_takes_from_holds_no_process_back(database: Database, outbox: Outbox) -> None:
    dispatch_loop = DispatchLoop(database, outbox.dispatcher, backlog=1, max_abandoned=0)
    dispatch_loop.notify(add_run(database))
    ended = threading.Thread(target=dispatch_loop.close, daemon=True)
    ended.start()
    ended.join(timeout=10)
    assert not ended.is_alive()
    assert outbox.made == 0


def test_closing_publishes_what_waits_and_nothing_after(database: Database, outbox: Outbox) -> None:
    dispatch_loop = DispatchLoop(database, outbox.dispatcher)
    runs = [add_run(database) for _ in range(20)]
    for run in runs:
        dispatch_loop.notify(run)
    dispatch_loop.close()
    assert [request.run_id for request in outbox.requests] == [run.id for run in runs]
    dispatch_loop.notify(runs[0])
    assert (len(outbox.requests), outbox.made) == (20, 1)


def test_closing_what_never_published_is_quick(database: Database, outbox: Outbox) -> None:
    DispatchLoop(database, outbox.dispatcher).close()
    assert outbox.made == 0
