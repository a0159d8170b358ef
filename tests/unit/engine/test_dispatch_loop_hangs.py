"""A broker that takes a message and never answers."""

import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.runs.records import Run
from tests.support.databases import add_run
from tests.support.engine_room import Outbox, complaints
from tests.support.waiting import until


@pytest.fixture
def dispatch_loop(database: Database, outbox: Outbox) -> Iterator[DispatchLoop]:
    """A loop that takes a dispatch to hang nearly at once."""
    made = DispatchLoop(database, outbox.dispatcher, hang_seconds=0.02)
    yield made
    made.close()


@pytest.fixture
def release(outbox: Outbox) -> Iterator[threading.Event]:
    """Let dispatches hang until this is set."""
    event = outbox.hanging = threading.Event()
    yield event
    event.set()


def abandon(dispatch_loop: DispatchLoop, outbox: Outbox, run: Run, number: int) -> None:
    dispatch_loop.notify(run)
    until(lambda: outbox.waits == number, "a publish that hangs", pause=0.005)
    before = len(dispatch_loop._hung)

    def abandoned() -> bool:
        dispatch_loop.watch()
        return len(dispatch_loop._hung) > before

    until(abandoned, "the watch", pause=0.01)


def test_a_publish_that_hangs_is_abandoned_and_the_next_goes_by_another_thread(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox, release: threading.Event
) -> None:
    first, second = add_run(database), add_run(database)
    with capture_logs() as logs:
        abandon(dispatch_loop, outbox, first, 1)
    outbox.hanging = None
    dispatch_loop.notify(second)
    until(lambda: outbox.requests, "the second dispatch")
    assert ([request.run_id for request in outbox.requests], outbox.made, dispatch_loop.ready) == ([second.id], 2, True)
    assert complaints(logs) == ["dispatch.abandoned"]
    release.set()
    until(lambda: not dispatch_loop._hung, "the abandoned thread's end")


def test_what_waited_behind_a_hanging_publish_goes_on_without_another_request(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox, release: threading.Event
) -> None:
    first, second = add_run(database), add_run(database)
    dispatch_loop.notify(first)
    until(lambda: outbox.waits == 1, "a publish that hangs", pause=0.005)
    dispatch_loop.notify(second)
    outbox.hanging = None

    def requested() -> bool:
        dispatch_loop.watch()
        return bool(outbox.requests)

    with capture_logs():
        until(requested, "the second dispatch", pause=0.01)
    assert [request.run_id for request in outbox.requests] == [second.id]


def test_three_hung_publishes_make_the_process_unready_until_they_end(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox, release: threading.Event
) -> None:
    runs = [add_run(database) for _ in range(4)]
    with capture_logs():
        for number, run in enumerate(runs[:3], start=1):
            assert dispatch_loop.ready
            abandon(dispatch_loop, outbox, run, number)
    assert not dispatch_loop.ready
    dispatch_loop.notify(runs[3])
    assert outbox.made == 3
    release.set()
    until(lambda: dispatch_loop.ready, "readiness, once the broker took what hung")
    outbox.hanging = None
    dispatch_loop.notify(runs[3])
    until(lambda: outbox.of(runs[3].id), "a dispatch by a new thread")


def test_hung_publishes_that_end_in_errors_let_the_next_ones_go(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox, release: threading.Event
) -> None:
    runs = [add_run(database) for _ in range(4)]
    with capture_logs():
        for number, run in enumerate(runs[:3], start=1):
            abandon(dispatch_loop, outbox, run, number)
        dispatch_loop.notify(runs[3])
        outbox.breaks, outbox.hanging = True, None
        release.set()  # the broker is restarted: every connection breaks
        # What waits goes out by itself, without another request or sweep.
        until(lambda: outbox.requests, "the dispatch that waited")
    assert dispatch_loop.ready
    assert [request.run_id for request in outbox.requests] == [runs[3].id]


def test_a_dispatch_for_which_no_thread_could_be_started_goes_with_the_next(
    database: Database, dispatch_loop: DispatchLoop, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_run(database), add_run(database)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full, capture_logs() as logs:
        full.setattr(threading.Thread, "start", refuse)
        dispatch_loop.notify(first)
    assert complaints(logs) == ["dispatch.not_started"]
    dispatch_loop.notify(second)
    until(lambda: len(outbox.requests) == 2, "both dispatches")
    assert [request.run_id for request in outbox.requests] == [first.id, second.id]
