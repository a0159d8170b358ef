"""Decides when an agent has reached a limit: pure, given the clock."""

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
    SPACE_LIMIT = "space_limit"
    """It took more of the disk than it may."""
    PROCESS_LIMIT = "process_limit"
    """It had more processes than it may."""
    DISK_FULL = "disk_full"
    """Too little of the disk is left, whoever took it."""
    CALL_LIMIT = "call_limit"
    """The run may make no more calls of the model."""
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
        """Return which limit is reached, if any."""
        if self.received > self.output_bytes:
            return End.OUTPUT_LIMIT
        if now - self.started >= self.total_seconds:
            return End.TIMED_OUT
        if now - self.last_life >= self.stall_seconds:
            return End.STALLED
        return None


OVERDUE_SECONDS = 2.0
"""How long past a limit a supervisor may show no heartbeat before others take it to be stopped or hung."""
_AT_LAST_SECONDS = 120.0
"""How long past the total limit a supervisor that works may need to be rid of an agent."""


def outlived(started: float, last_beat: float, stall_seconds: float, total_seconds: float, now: float) -> End | None:
    """Return the limit that a job has exceeded because its supervisor does not enforce it; None if there is none.

    Times are of the monotonic clock, in seconds. A supervisor whose loop turns keeps its limits by itself; one that has
    not turned for as long as its agent may be silent cannot have heard it.
    """
    over, silent = now - started - total_seconds, now - last_beat
    if over > _AT_LAST_SECONDS or (over > OVERDUE_SECONDS and silent > OVERDUE_SECONDS):
        return End.TIMED_OUT
    return End.STALLED if silent > stall_seconds + OVERDUE_SECONDS else None
