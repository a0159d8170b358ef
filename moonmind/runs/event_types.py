"""The events of a run: one per transition, written with it, dense and ordered by `seq`."""

from enum import StrEnum


class EventType(StrEnum):
    """What happened, as `noun.verb`."""

    RUN_CREATED = "run.created"
    RUN_CLOSED = "run.closed"
    RUN_RETRIED = "run.retried"
    RUN_CANCEL_REQUESTED = "run.cancel_requested"
    RUN_ASKED = "run.asked"
    RUN_ANSWERED = "run.answered"
    ATTEMPT_STARTED = "attempt.started"
    ATTEMPT_SUCCEEDED = "attempt.succeeded"
    ATTEMPT_RETRIED = "attempt.retried"
    ATTEMPT_SUSPENDED = "attempt.parked"
    ATTEMPT_WOKEN = "attempt.woken"
    ATTEMPT_SENT_BACK = "attempt.sent_back"
    LEASE_EXPIRED = "lease.expired"
    LEASE_RETURNED = "lease.returned"
    HOST_LOST = "host.lost"
    SLOT_TAKEN = "slot.taken"
