"""How often and after how long a stage is tried again by itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds on what happens without a person: errors, lost workers, rounds, a question that is not answered.

    Delays are full jitter, `chance * min(cap, base * 2^errors)` seconds, so that runs which failed together do not
    come back together. Source: the "full jitter" rule of AWS's architecture notes on backoff.
    """

    max_errors: int = 5
    """Transient errors of one stage before the run fails."""
    max_outages: int = 20
    """Transient errors before the run fails when the last one is that a service is away."""
    max_crashes: int = 3
    """Leases lost in a row at one stage before the run fails as `worker_lost`."""
    max_rounds: int = 1
    """Trips back to an earlier stage."""
    base_seconds: float = 5.0
    cap_seconds: float = 300.0
    attention_seconds: float = 259_200.0
    """From a question to a person to the end of a run that got no answer."""

    def pause(self, errors: int, chance: float, *, outage: bool = False) -> float | None:
        """Return the seconds to wait after the error that makes it `errors + 1` in a row; None if no try is left.

        Half of the wait for a service that is away is certain, half jitter. So its tries together outlast an outage of
        known length however the dice fall: 38 minutes as these bounds stand.
        """
        if errors >= (self.max_outages if outage else self.max_errors):
            return None
        most = min(self.cap_seconds, self.base_seconds * 2.0 ** min(errors, 16))
        return most * ((1 + chance) / 2 if outage else chance)


CRASH_SPREAD_SECONDS = 30.0
"""Within so many seconds a stage is taken up again that has lost its worker twice in a row.

What kills a worker takes every stage on it along. Taken up again all at once, they would meet once more, and the third
loss ends them all; apart, only the one that kills meets its end.
"""
DISPATCH_SECONDS = 10.0
DISPATCH_CAP_SECONDS = 900.0


def dispatch_interval(dispatches: int) -> float:
    """Return the seconds until a dispatch that no worker followed is repeated."""
    return min(DISPATCH_SECONDS * 2.0 ** min(dispatches, 16), DISPATCH_CAP_SECONDS)
