import threading
import time

from structlog.testing import capture_logs

from moonmind.engine.paced_loop import Loop
from moonmind.errors import Unavailable
from tests.support.waiting import PATIENCE, until


def test_the_first_round_comes_at_once_and_the_end_does_not_wait_for_the_next() -> None:
    rounds: list[float] = []
    loop = Loop("test", 600.0, lambda: rounds.append(time.monotonic()))
    started = time.monotonic()
    loop.start()
    until(lambda: rounds, "the first round", pause=0.005)
    loop.close()
    assert time.monotonic() - started < 5
    assert len(rounds) == 1


def test_rounds_go_on_at_their_pace() -> None:
    rounds: list[int] = []
    loop = Loop("test", 0.01, lambda: rounds.append(1))
    loop.start()
    until(lambda: len(rounds) >= 3, "three rounds", pause=0.005)
    loop.close()
    done = len(rounds)
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]
    assert len(rounds) == done


def test_a_refusal_or_a_defect_in_one_round_does_not_end_the_rounds() -> None:
    failures: list[Exception] = [Unavailable("The database does not answer"), ZeroDivisionError("a defect")]
    rounds: list[int] = []

    def work() -> None:
        if failures:
            raise failures.pop(0)
        rounds.append(1)

    loop = Loop("test", 0.01, work)
    with capture_logs() as logs:
        loop.start()
        until(lambda: rounds, "a round after both", pause=0.005)
    loop.close()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("test.failed", "warning"),
        ("test.broke", "error"),
    ]
    assert logs[0]["error"] == "The database does not answer"


def test_closing_waits_for_the_round_that_is_on() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[int] = []

    def work() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        ended.append(1)

    loop = Loop("test", 600.0, work)
    loop.start()
    assert begun.wait(PATIENCE)
    threading.Timer(0.05, go_on.set).start()
    loop.close()
    assert ended == [1]


def test_what_never_started_is_closed_all_the_same() -> None:
    Loop("test", 600.0, lambda: None).close()
