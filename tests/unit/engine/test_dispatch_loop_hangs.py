"""A broker that takes a message and never answers."""

import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from moonmind.db.unit_of_work import Database
from moonmind.engine import dispatch_loop as module
from moonmind.engine.dispatch_loop import Publisher
from moonmind.runs.records import Run
from tests.support.databases import add_run
from tests.support.engine_room import Outbox, complaints
from tests.support.waiting import until


@pytest.fixture
def release(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let publishes hang until this is set, and count them as hung at once."""
    monkeypatch.setattr(module, "HANG_SECONDS", 0.02)
    event = outbox.hanging = threading.Event()
    yield event
    event.set()


def abandon(publisher: Publisher, outbox: Outbox, run: Run, number: int) -> None:
    publisher.notify(run)
    until(lambda: outbox.waits == number, "a publish that hangs", 5, pause=0.005)
    before = len(publisher._hung)
    until(lambda: publisher.watch() or len(publisher._hung) > before, "the watch", 5, pause=0.01)


def test_a_publish_that_hangs_is_abandoned_and_the_next_goes_by_another_thread(
    database: Database, publisher: Publisher, outbox: Outbox, release: threading.Event
) -> None:
    first, second = add_run(database), add_run(database)
    with capture_logs() as logs:
        abandon(publisher, outbox, first, 1)
    outbox.hanging = None
    publisher.notify(second)
    until(lambda: outbox.hints, "the second hint", 5)
    assert ([hint.run_id for hint in outbox.hints], outbox.made, publisher.ready) == ([second.id], 2, True)
    assert complaints(logs) == ["publisher.abandoned"]
    release.set()
    # The abandoned thread ends with its publish, and gives its dispatcher back.
    until(lambda: outbox.closed == 1, "the abandoned thread's end", 5)


def test_what_waited_behind_a_hanging_publish_goes_on_without_another_request(
    database: Database, publisher: Publisher, outbox: Outbox, release: threading.Event
) -> None:
    first, second = add_run(database), add_run(database)
    publisher.notify(first)
    until(lambda: outbox.waits == 1, "a publish that hangs", 5, pause=0.005)
    publisher.notify(second)
    outbox.hanging = None
    with capture_logs():
        until(lambda: publisher.watch() or outbox.hints, "the second hint", 5, pause=0.01)
    assert [hint.run_id for hint in outbox.hints] == [second.id]


def test_three_hung_publishes_make_the_process_unready_until_they_end(
    database: Database, publisher: Publisher, outbox: Outbox, release: threading.Event
) -> None:
    runs = [add_run(database) for _ in range(4)]
    with capture_logs():
        for number, run in enumerate(runs[:3], start=1):
            assert publisher.ready
            abandon(publisher, outbox, run, number)
    assert not publisher.ready
    publisher.notify(runs[3])
    assert outbox.made == 3
    release.set()
    until(lambda: publisher.ready, "readiness, once the broker took what hung", 5)
    outbox.hanging = None
    publisher.notify(runs[3])
    until(lambda: outbox.of(runs[3].id), "a hint by a new thread", 5)


def test_hung_publishes_that_end_in_errors_let_the_next_ones_go(
    database: Database, publisher: Publisher, outbox: Outbox, release: threading.Event
) -> None:
    runs = [add_run(database) for _ in range(4)]
    with capture_logs():
        for number, run in enumerate(runs[:3], start=1):
            abandon(publisher, outbox, run, number)
        publisher.notify(runs[3])
        outbox.breaks, outbox.hanging = True, None
        release.set()  # the broker is restarted: every connection breaks
        # What waits goes out by itself, without another request or sweep.
        until(lambda: outbox.hints, "the hint that waited", 5)
    assert publisher.ready
    assert [hint.run_id for hint in outbox.hints] == [runs[3].id]


def test_a_hint_for_which_no_thread_could_be_started_goes_with_the_next(
    database: Database, publisher: Publisher, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_run(database), add_run(database)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full, capture_logs() as logs:
        full.setattr(threading.Thread, "start", refuse)
        publisher.notify(first)
    assert complaints(logs) == ["publisher.not_started"]
    publisher.notify(second)
    until(lambda: len(outbox.hints) == 2, "both hints", 5)
    assert [hint.run_id for hint in outbox.hints] == [first.id, second.id]
