"""Shows from outside that a supervisor works: a small file with the time at which its loop last turned.

The time is of the clock that its limits use, CLOCK_MONOTONIC: it stands still while the host sleeps, so that a closed
laptop neither uses up a job's time nor makes its supervisor look hung.
"""

import os
import time
from pathlib import Path

BEAT_SECONDS = 0.5


class Heartbeat:
    """Writes the file; each turn of the supervisor's loop calls `beat`."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._last = float("-inf")

    def beat(self) -> None:
        """Write the time unless that was done just now. Raises OSError."""
        now = time.monotonic()
        if now - self._last >= BEAT_SECONDS:
            # In place, at one width, and not synced: it says nothing after a restart of the host.
            os.pwrite(self._file, f"{now:020.3f}\n".encode(), 0)
            self._last = now


def last_beat(path: Path) -> float | None:
    """Return the time of the last beat in seconds of the monotonic clock; None where there was none. Raises OSError."""
    try:
        return float(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
