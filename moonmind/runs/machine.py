"""The state machine of a run: statuses, what a stage may report and what becomes of it.

Pure. Two guards live in SQL beside it: the claim (`WHERE due AND nobody holds it RETURNING fence`) and the record
(`WHERE fence = mine RETURNING`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from moonmind.errors import ErrorInfo
from moonmind.runs.attention import Attention, Option
from moonmind.runs.chain import Stage, following
from moonmind.runs.retry import RetryPolicy


class RunStatus(StrEnum):
    """What users see of a run."""

    PENDING = "pending"
    """Created; no stage has been claimed yet."""
    RUNNING = "running"
    """A stage was claimed. A run that waits is running too: `waiting` says for what."""
    RETRYING = "retrying"
    """An operator asked for a retry that has not been claimed yet."""
    SUCCEEDED = "succeeded"
    """All five stages are done."""
    FAILED = "failed"
    """A stage failed for good; `error` says why and what to do."""
    NO_WORK = "no_work"
    """Discovery found nothing to do; `reason` says why in words."""
    CANCELLED = "cancelled"
    """An operator stopped it."""

    @property
    def terminal(self) -> bool:
        """Return True if only an operator's retry can move the run again."""
        return self in TERMINAL


ACTIVE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.RETRYING})
TERMINAL = frozenset(set(RunStatus) - ACTIVE)


class AttemptState(StrEnum):
    """Where one try at one stage stands."""

    WAITING = "waiting"
    """Not started; its stage's turn has not come."""
    RECEIVED = "received"
    """Part of the public contract; never written, since a claim and its start are one statement."""
    STARTED = "started"
    """Claimed at least once; suspending leaves it here."""
    SUCCEEDED = "succeeded"
    """Its result is recorded."""
    FAILED = "failed"
    """Its error is recorded."""
    RETRYING = "retrying"
    """The next try after a failed one; waits for its turn."""


class WaitingReason(StrEnum):
    """Why a running run is not being worked on now."""

    AGENT = "agent"
    """The agent is at work; the job poller looks every second."""
    ENVIRONMENT = "environment"
    """What the repository's tests need is being set up; the job poller looks every second."""
    VERIFICATION = "verification"
    """The repository's tests are being run; the job poller looks every second."""
    CAPACITY = "capacity"
    """All agent slots of the host are taken."""
    QUOTA = "quota"
    """The credential's quota resets at a known time."""
    RATE_LIMIT = "rate_limit"
    """The forge asked to wait."""
    BACKOFF = "backoff"
    """A transient error; the next try comes by itself."""
    NEEDS_ATTENTION = "needs_attention"
    """A person has to answer."""


WAITS_FOR_JOB = frozenset({WaitingReason.AGENT, WaitingReason.ENVIRONMENT, WaitingReason.VERIFICATION})
"""Waits that end with a supervised job."""


class RetryMode(StrEnum):
    """What an operator's retry starts from."""

    RESUME_FAILED_TASK = "resume_failed_task"
    """The stage that failed, with the results recorded before it."""
    RESTART_FROM_DISCOVERY = "restart_from_discovery"
    """The first stage, as if the run were new."""


RETRYABLE_WITH: Mapping[RunStatus, frozenset[RetryMode]] = MappingProxyType(
    {
        RunStatus.FAILED: frozenset(RetryMode),
        RunStatus.CANCELLED: frozenset(RetryMode),
        RunStatus.NO_WORK: frozenset({RetryMode.RESTART_FROM_DISCOVERY}),
    }
)

# --- outcomes: what a stage reports --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The stage is complete; later stages read its result."""

    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """Discovery found no work; the reason is for people."""

    reason: str
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suspend:
    """Release the worker and be claimed again later; to wait for a person, `Ask`.

    `seconds` counts from the database's now; `until` (an instant another service stated) wins where it is given.
    """

    reason: WaitingReason
    seconds: float = 60.0
    until: datetime | None = None
    checkpoint: Mapping[str, Any] | None = None
    """What the next claim resumes from; None: what was there before."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage could not do its work; `transient` errors are tried again by themselves.

    `checkpoint` is what the next attempt resumes from (the agent's thread id, a partial patch); None: what was there.
    """

    error: ErrorInfo
    transient: bool = False
    checkpoint: Mapping[str, Any] | None = None
    outage: bool = False
    """A service is away: tried again more often, since the run can do nothing about it."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Send the run back to an earlier stage with something to say: one round. That stage resumes from `checkpoint`."""

    stage: Stage
    note: str
    checkpoint: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person, and be claimed again with the answer in `context.answer`; until then nothing is held.

    With options, the value of one of them is the answer, else a text. `approve` and `reject` are the values of a question
    whether something may be done. Nobody answers in time: the run ends, and its retry asks again.
    """

    kind: str
    text: str
    options: tuple[Option, ...] = ()
    checkpoint: Mapping[str, Any] | None = None
    """What the next claim resumes from; None: what was there before."""
    feature: str | None = None
    """The path of the feature that the question is about, and that an answer other than another feature goes on with."""


Outcome = Done | NothingToDo | Suspend | Ask | Failed | Redo

# --- decisions: what the machine makes of it -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advance:
    """Record the result and move to the next stage; it is due at once."""

    stage: Stage
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Close:
    """End the run. `attempt` is the state in which its last attempt is recorded."""

    status: RunStatus
    attempt: AttemptState
    result: Mapping[str, Any] | None = None
    """Of an attempt that succeeded."""
    checkpoint: Mapping[str, Any] | None = None
    """Of one that did not, for a retry to resume from; None: what was there before."""
    error: ErrorInfo | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Release the lease; the same attempt goes on when the run is due or woken."""

    reason: WaitingReason
    seconds: float
    until: datetime | None
    checkpoint: Mapping[str, Any] | None
    renews_deadline: bool
    """Waiting for a job or a backoff is work; anything else moves the deadline past the wait."""
    frees_slot: bool
    attention: Attention | None = None
    """What a person is asked; the wait ends with the answer, or the run with the wait."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Record the failed attempt and open the next one after a backoff."""

    seconds: float
    error: ErrorInfo
    checkpoint: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class GoBack:
    """Open fresh attempts from an earlier stage on: the one legal move backwards."""

    stage: Stage
    note: str
    checkpoint: Mapping[str, Any] | None


Decision = Advance | Close | Wait | TryAgain | GoBack


@dataclass(frozen=True, slots=True)
class Counts:
    """What the row has counted so far; the caps are the policy's."""

    errors: int = 0
    rounds: int = 0


def decide(stage: Stage, counts: Counts, outcome: Outcome, policy: RetryPolicy, chance: float) -> Decision:
    """Turn what a stage reported into what is written.

    `chance` is a number in [0, 1) that spreads backoffs (full jitter); a parameter, so that this stays pure.
    """
    match outcome:
        case Done(result):
            after = following(stage)
            if after is None:
                return Close(RunStatus.SUCCEEDED, AttemptState.SUCCEEDED, result)
            return Advance(after, result)
        case NothingToDo(reason, result):
            return Close(RunStatus.NO_WORK, AttemptState.SUCCEEDED, result, reason=reason)
        case Suspend(reason, seconds, until, checkpoint):
            working = reason in WAITS_FOR_JOB or reason is WaitingReason.BACKOFF
            return Wait(reason, seconds, until, checkpoint, not working, reason is not WaitingReason.AGENT)
        case Ask(kind, text, options, checkpoint, feature):
            attention = Attention.asking(kind, text, options, feature)
            seconds = policy.attention_seconds
            return Wait(WaitingReason.NEEDS_ATTENTION, seconds, None, checkpoint, True, True, attention)
        case Failed(error, transient, checkpoint, outage):
            pause = policy.pause(counts.errors, chance, outage=outage) if transient else None
            if pause is not None:
                return TryAgain(pause, error, checkpoint)
            return Close(RunStatus.FAILED, AttemptState.FAILED, checkpoint=checkpoint, error=error)
        case Redo():
            return _back(stage, counts, outcome, policy)


def _back(stage: Stage, counts: Counts, redo: Redo, policy: RetryPolicy) -> GoBack | Close:
    if redo.stage.position >= stage.position:
        error = ErrorInfo("illegal_redo", f"{stage} asked to go back to {redo.stage}, which is not before it")
        return Close(RunStatus.FAILED, AttemptState.FAILED, error=error)
    if counts.rounds >= policy.max_rounds:
        error = ErrorInfo(
            "rounds_exhausted",
            f"{stage} sent the run back to {redo.stage} {counts.rounds} times without success: {redo.note}",
            "Read what the last attempt left, add notes for the agent, and retry from discovery.",
        )
        return Close(RunStatus.FAILED, AttemptState.FAILED, error=error)
    return GoBack(redo.stage, redo.note, redo.checkpoint)


def may_retry(status: RunStatus, mode: RetryMode) -> bool:
    """Return True if an operator may retry a run with this status in this mode."""
    return mode in RETRYABLE_WITH.get(status, frozenset())
