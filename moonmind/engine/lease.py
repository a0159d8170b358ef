"""Keep claims alive: one thread per process renews every lease that the process holds."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine.paced_loop import Loop
from moonmind.errors import MoonMindError
from moonmind.runs.records import Claim

log = structlog.get_logger(__name__)

# The clock that goes on while a laptop sleeps: a lease that ran out meanwhile must not look fresh afterwards.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

SILENCE_SHARE = 0.75
"""Of the lease: so long without a renewal and we act as if it were lost, before another worker may take it."""


def _now() -> float:
    return time.clock_gettime(_CLOCK)


class LeaseLost(MoonMindError):
    """The claim is no longer ours: another worker may have the run, so nothing more is done or written."""

    code = "lease_lost"


class StopRequested(MoonMindError):
    """The run was cancelled, or its deadline passed, while the stage worked."""

    code = "stop_requested"

    def __init__(self, message: str, *, outside: str = "") -> None:
        super().__init__(message)
        self.outside = outside
        """What there is of the stage's work outside of this installation already, in a sentence."""


@dataclass(slots=True)
class HeldLease:
    """One claim's lease as its holder sees it. Written by the keeper's thread, read by the stage's."""

    claim: Claim
    silence_seconds: float
    renewed: float = field(default_factory=_now)
    lost: bool = False
    cancelled: bool = False
    overdue: bool = False
    """The run's deadline has passed."""

    def gone(self) -> bool:
        """Return True if the claim must be treated as another worker's."""
        return self.lost or _now() - self.renewed > self.silence_seconds

    def check_held(self) -> None:
        """Raise LeaseLost if the claim is not ours; for what also a run that is being stopped may do."""
        if self.gone():
            raise LeaseLost("the lease of this run was lost; another worker may hold it now")

    def check(self) -> None:
        """Raise LeaseLost or StopRequested; called right before every effect outside."""
        self.check_held()
        if self.cancelled or self.overdue:
            raise StopRequested("the run was cancelled or its deadline passed")


class LeaseKeeper:
    """Renews leases by fence until they are let go. A local clock measures silence; the database's clock rules."""

    def __init__(self, database: Database, *, lease_seconds: float, heartbeat_seconds: float) -> None:
        self._database = database
        self.lease_seconds = lease_seconds
        self._held: dict[int, HeldLease] = {}
        self._guard = threading.Lock()
        self._loop = Loop("lease-keeper", heartbeat_seconds, self._heartbeat, at_once=False)
        self._started = False
        self._closed = False

    @contextmanager
    def keep(self, claim: Claim) -> Iterator[HeldLease]:
        """Renew the claim's lease for as long as the block runs."""
        silence = self.lease_seconds * SILENCE_SHARE
        lease = HeldLease(claim, silence, cancelled=claim.cancel_requested, overdue=claim.deadline_passed)
        with self._guard:
            self._held[id(lease)] = lease
            if not self._started:
                self._loop.start()
                self._started = True
        if self._closed:
            # Claimed by a message that was on its way here: nobody would renew it.
            self._give_back(lease)
        try:
            yield lease
        finally:
            with self._guard:
                self._held.pop(id(lease), None)

    def close(self) -> None:
        """Return every lease, as a clean shutdown does, and end the thread; a second call does nothing."""
        self._closed = True
        self._loop.close()
        with self._guard:
            held = list(self._held.values())
        for lease in held:
            self._give_back(lease)

    def _give_back(self, lease: HeldLease) -> None:
        if lease.lost:
            return
        # Marked lost first: the stage that still works under it must not write after the row is free again.
        lease.lost = True
        try:
            with self._database.write() as uow:
                uow.claims.return_lease(lease.claim.run.id, lease.claim.fence)
        except MoonMindError as error:
            log.warning("lease.not_returned", run_id=str(lease.claim.run.id), error=error.message)

    def _heartbeat(self) -> None:
        with self._guard:
            held = list(self._held.values())
        for lease in held:
            if lease.lost or self._closed:
                continue
            try:
                self._renew(lease)
            except Exception:
                # Whatever one renewal met, the other leases of this process must be renewed.
                log.exception("lease.not_renewed", run_id=str(lease.claim.run.id))

    def _renew(self, lease: HeldLease) -> None:
        # Taken before the statement: the lease runs from when the database wrote it, never from when we heard back.
        started = _now()
        try:
            with self._database.write() as uow:
                pulse = uow.claims.heartbeat(lease.claim.run.id, lease.claim.fence, self.lease_seconds)
        except MoonMindError as error:
            log.warning("lease.not_renewed", run_id=str(lease.claim.run.id), error=error.message)
            return
        if pulse is None:
            lease.lost = True
            return
        lease.renewed = started
        lease.cancelled = lease.cancelled or pulse.cancel_requested
        lease.overdue = lease.overdue or pulse.deadline_passed
