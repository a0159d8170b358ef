"""How often and after how long a stage is tried again by itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds on what happens without a person: errors, lost workers, rounds.

    Delays are full jitter, `chance * min(cap, base * 2^errors)` seconds, so that runs which failed together do not
    come back together. Source: the "full jitter" rule of AWS's architecture notes on backoff.
    """

    max_errors: int = 5
    """Transient errors of one stage before the run fails."""
    max_crashes: int = 3
    """Leases lost in a row at one stage before the run fails as `worker_lost`."""
    max_rounds: int = 1
    """Trips back to an earlier stage."""
    base_seconds: float = 5.0
    cap_seconds: float = 300.0

    def delay(self, errors: int, chance: float) -> float:
        """Give the seconds to wait after the error that makes it `errors + 1` in a row."""
        return chance * min(self.cap_seconds, self.base_seconds * 2.0 ** min(errors, 16))


HINT_SECONDS = 10.0
HINT_CAP_SECONDS = 900.0


def hint_interval(hints: int) -> float:
    """Give the seconds until a published hint that nobody followed is published again."""
    return min(HINT_SECONDS * 2.0 ** min(hints, 16), HINT_CAP_SECONDS)
