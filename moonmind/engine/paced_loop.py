"""A thread with a pace: what the janitor, the job poller and the periodic jobs run in."""

import threading
from collections.abc import Callable

import structlog

from moonmind.errors import MoonMindError

log = structlog.get_logger(__name__)


class Loop:
    """A thread that calls a function at a pace, survives its errors, and ends at once when told."""

    def __init__(self, name: str, pace_seconds: float, work: Callable[[], None], *, at_once: bool = True) -> None:
        self._name = name
        self._pace = pace_seconds
        self._work = work
        self._at_once = at_once
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def closed(self) -> bool:
        """Return True if the thread was told to end."""
        return self._ended.is_set()

    def start(self) -> None:
        """Start the thread; the first round comes at once, or after one pace."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and wait for the round it is in, 10 seconds at most."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        if not self._at_once and self._ended.wait(self._pace):
            return
        while True:
            try:
                self._work()
            except MoonMindError as error:
                log.warning(f"{self._name}.failed", error=error.message)  # noqa: G004 - the event's name, not data
            except Exception:
                # A defect in one round must not end the rounds: what heals everything else runs here.
                log.exception(f"{self._name}.broke")  # noqa: G004 - the event's name, not data
            if self._ended.wait(self._pace):
                return
