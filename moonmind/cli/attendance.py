"""Say that nobody runs stages: a run that waits for nobody looks like one that hangs."""

import sys
import time

from moonmind.cli.session import Session

_PACE_SECONDS = 10.0
"""How often a watch asks; workers are heard of as often."""


class Attendance:
    """Says on standard error that nobody works, and that somebody does again: each once."""

    def __init__(self, session: Session, *, pace: float = _PACE_SECONDS) -> None:
        self._session = session
        self._pace = pace
        self._asked_at = float("-inf")
        self._alone = False

    def look(self) -> None:
        """Ask, if the last answer is old, and say what has changed; made to be called often."""
        now = time.monotonic()
        if now - self._asked_at < self._pace:
            return
        self._asked_at = now
        alone = not self._session.attended()
        if alone == self._alone:
            return
        self._alone = alone
        print(_lack(self._session) if alone else "MoonMind is running: the run goes on.", file=sys.stderr)


def warn_if_alone(session: Session) -> None:
    """Say that nothing will move, where nobody runs stages."""
    Attendance(session).look()


def _lack(session: Session) -> str:
    start = "start it with `moonmind up`" if session.settings.embedded else "start a worker, as the quickstart says"
    return f"No MoonMind is running: {start}; the run is kept and waits."
