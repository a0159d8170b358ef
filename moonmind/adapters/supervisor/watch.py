"""Decides when an agent has had enough: pure, given the clock."""

from dataclasses import dataclass
from enum import StrEnum


class End(StrEnum):
    """Why a job ended, as the supervisor saw it; what it means is for the adapter to say."""

    EXITED = "exited"
    STALLED = "stalled"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    OUTPUT_LIMIT = "output_limit"
    LOG_FAILED = "log_failed"
    """The log could not be written: a full disk."""
    TERMINATED = "terminated"
    """The supervisor itself was told to go: no result is written, so the job counts as lost and is taken up again."""


@dataclass(slots=True)
class Watch:
    """The clocks and counts of one job. Times are of the monotonic clock, in seconds."""

    stall_seconds: float
    total_seconds: float
    output_bytes: int
    started: float
    last_life: float
    received: int = 0

    def verdict(self, now: float) -> End | None:
        """Say which limit is reached, if any."""
        if self.received > self.output_bytes:
            return End.OUTPUT_LIMIT
        if now - self.started >= self.total_seconds:
            return End.TIMED_OUT
        if now - self.last_life >= self.stall_seconds:
            return End.STALLED
        return None
