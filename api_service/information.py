"""What readiness shows beside what it decides by: looked at in the background, since the probes take seconds."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from moonmind.ports.check import Check, CheckStatus

log = structlog.get_logger(__name__)

KEPT_SECONDS = 60.0
_END_SECONDS = 5.0
_NOT_YET = Check("preflight", CheckStatus.UNKNOWN, "the first look is still under way", informational=True)


class Information:
    """The answers of a list of probes, at most a minute old when they are asked for once a minute or more often."""

    def __init__(self, probe: Callable[[], Iterable[Check]], *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._probe = probe
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._known: list[Check] = [_NOT_YET]
        self._stale_at = float("-inf")
        self._looking: threading.Thread | None = None

    def checks(self) -> list[Check]:
        """Return the cached checks at once; if they are stale, a thread refreshes them for the next caller."""
        with self._lock:
            idle = self._looking is None or not self._looking.is_alive()
            if idle and time.monotonic() >= self._stale_at:
                self._looking = threading.Thread(target=self._look, name="readiness", daemon=True)
                self._looking.start()
            return self._known

    def close(self) -> None:
        """Wait a moment for a look that is under way; its probes end by themselves."""
        if self._looking is not None:
            self._looking.join(_END_SECONDS)

    def _look(self) -> None:
        try:
            found = [replace(check, informational=True) for check in self._probe()]
        except Exception as error:  # the thread's edge: whatever it is, the next look may be better
            log.exception("readiness.not_probed")
            message = f"the checks could not run ({type(error).__name__}); see the server's log"
            found = [Check("preflight", CheckStatus.UNKNOWN, message, informational=True)]
        with self._lock:
            self._known = found
            self._stale_at = time.monotonic() + self._kept_seconds
