"""Report that no worker is online: a run that waits for one looks like a run that hangs."""

import sys
import time

from moonmind.runtime.container import Container

_PACE_SECONDS = 10.0
"""How often a watch asks; workers are heard of as often."""


class Attendance:
    """Reports on standard error that no worker is online, and that one is again: each once."""

    def __init__(self, container: Container, *, pace: float = _PACE_SECONDS) -> None:
        self._container = container
        self._pace = pace
        self._asked_at = float("-inf")
        self._alone = False

    def look(self) -> None:
        """Ask, if the last answer is old, and say what has changed; made to be called often."""
        now = time.monotonic()
        if now - self._asked_at < self._pace:
            return
        self._asked_at = now
        alone = not self._container.attended()
        if alone == self._alone:
            return
        self._alone = alone
        print(_lack(self._container) if alone else "A worker is online again; the run continues.", file=sys.stderr)


def warn_if_alone(container: Container) -> None:
    """Report that the run will not move, where no worker is online."""
    Attendance(container).look()


def _lack(container: Container) -> str:
    start = "Start one with `moonmind up`." if container.settings.embedded else "Start one as the quickstart shows."
    return f"No worker is online; the run stays queued until one starts. {start}"
