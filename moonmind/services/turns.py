"""Slow questions in threads of their own: one of each name at a time, few at once, each waited for only so long."""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from moonmind.errors import Unavailable

T = TypeVar("T")

_AGAIN = "Ask again in a minute."


class Turns:
    """Lets questions that share a name wait for each other.

    A question goes on when nobody waits for it any more: what it fetched is of use to the next one.
    """

    def __init__(self, *, seconds: float | None, most: int) -> None:
        """`seconds`: how long a caller waits, None for without an end; `most`: questions at work or waiting at once."""
        self._seconds = seconds
        self._most = most
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._asked = 0

    def ask(self, name: str, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises; raises Unavailable where that takes too long."""
        began = time.monotonic()
        self._take(name)
        question = _Question(work, done=lambda: self._end(name))
        try:
            question.start()
        except RuntimeError as error:  # no more threads: the turn is not taken
            self._end(name)
            raise Unavailable(f"looking at {name} cannot be started: {error}", remediation=_AGAIN) from None
        question.join(None if self._seconds is None else max(0.0, self._seconds - (time.monotonic() - began)))
        if question.is_alive():
            raise Unavailable(
                f"looking at {name} takes longer than {self._seconds:.0f} s; it goes on, so that the next answer is faster",
                remediation=_AGAIN,
            )
        return question.answer()

    def _take(self, name: str) -> None:
        with self._changed:
            if self._asked >= self._most:
                raise Unavailable(f"{self._most} such requests are under way already", remediation=_AGAIN)
            self._asked += 1
            if self._changed.wait_for(lambda: name not in self._busy, self._seconds):
                self._busy.add(name)
                return
            self._asked -= 1
        raise Unavailable(f"another look at {name} is still under way", remediation=_AGAIN)

    def _end(self, name: str) -> None:
        with self._changed:
            self._busy.discard(name)
            self._asked -= 1
            self._changed.notify_all()


class _Question(threading.Thread, Generic[T]):
    def __init__(self, work: Callable[[], T], *, done: Callable[[], None]) -> None:
        super().__init__(name="question", daemon=True)
        self._work = work
        self._done = done
        self._context = contextvars.copy_context()  # what is logged names the request
        self._found: list[T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """Do the work, and keep what came of it."""
        try:
            self._found.append(self._context.run(self._work))
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        finally:
            self._done()

    def answer(self) -> T:
        """Return what came of the work, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._found[0]
