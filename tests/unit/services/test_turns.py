"""Slow questions: one of each name at a time, few at once, each waited for only so long."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from moonmind.errors import NotFound, Unavailable
from moonmind.services.turns import Turns
from tests.support.waiting import until

WAIT = 20


class Slow:
    """A question that ends when the test says."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.released.wait(WAIT), "the test left a question waiting"
        self.ended.set()
        return "answer"


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_an_answer_is_passed_on_and_so_is_an_error() -> None:
    turns = Turns(seconds=WAIT, most=1)

    def fail() -> None:
        raise NotFound("it is not there")

    assert turns.ask("a", lambda: 7) == 7
    with pytest.raises(NotFound, match="it is not there"):
        turns.ask("a", fail)
    assert turns.ask("a", lambda: 8) == 8


def test_a_question_that_cannot_be_started_leaves_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_threads(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    turns = Turns(seconds=WAIT, most=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more_threads)
        with pytest.raises(Unavailable, match="can't start new thread"):
            turns.ask("a", lambda: 7)
    assert turns.ask("a", lambda: 7) == 7


def test_two_of_one_name_follow_each_other() -> None:
    turns, first, order = Turns(seconds=None, most=2), Slow(), list[str]()
    one = beside(lambda: order.append(turns.ask("a", first)))
    assert first.begun.wait(WAIT)
    two = beside(lambda: order.append(turns.ask("a", lambda: "second" if first.ended.is_set() else "too early")))
    first.released.set()
    one.join(WAIT)
    two.join(WAIT)
    assert sorted(order) == ["answer", "second"]  # which of the two threads goes on first is nobody's business


def test_two_of_different_names_do_not_wait_for_each_other() -> None:
    turns, slow = Turns(seconds=WAIT, most=2), Slow()
    beside(lambda: turns.ask("a", slow))
    assert slow.begun.wait(WAIT)
    assert turns.ask("b", lambda: 7) == 7
    slow.released.set()


def test_what_takes_too_long_goes_on_and_keeps_its_turn_until_it_ends() -> None:
    turns, slow = Turns(seconds=0.05, most=2), Slow()
    with pytest.raises(Unavailable, match="looking at a takes longer"):
        turns.ask("a", slow)
    with pytest.raises(Unavailable, match="another look at a is still under way"):
        turns.ask("a", lambda: 7)
    slow.released.set()
    assert slow.ended.wait(WAIT)
    until(lambda: answers(turns, "a"), "the next answer", WAIT)


def answers(turns: Turns, name: str) -> bool:
    try:
        return turns.ask(name, lambda: 7) == 7
    except Unavailable:
        return False


@pytest.mark.parametrize("most", [1, 3])
def test_more_than_a_few_at_once_are_refused(most: int) -> None:
    turns, slow = Turns(seconds=None, most=most), [Slow() for _ in range(most)]
    threads = [beside(partial(turns.ask, f"n{number}", one)) for number, one in enumerate(slow)]
    assert all(one.begun.wait(WAIT) for one in slow)
    with pytest.raises(Unavailable, match=f"{most} such requests are under way already"):
        turns.ask("another", lambda: 7)
    for one, thread in zip(slow, threads, strict=True):
        one.released.set()
        thread.join(WAIT)
    assert turns.ask("another", lambda: 7) == 7
