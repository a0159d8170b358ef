"""What the model is made of: bounds, a claim as its holder knows it, and a run as plain values."""

from dataclasses import dataclass, field
from typing import NamedTuple

from moonmind.runs.attention import CHOOSE_FEATURE
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, Close, Counts, Decision, Outcome, RunStatus, WaitingReason, decide
from moonmind.runs.retry import RetryPolicy

POLICY = RetryPolicy(
    max_errors=2,
    max_outages=3,
    max_crashes=3,
    max_rounds=1,
    base_seconds=40.0,
    cap_seconds=100.0,
    attention_seconds=345.0,
)
CHANCE = 0.5
"""How the dice fall, wherever the product throws them."""
LEASE = 45.0
"""Like `SILENCE` no multiple of ten, as every step of the clock is: nothing ends in the instant that it is looked at."""
SILENCE = 305.0
LIFETIME = 7200.0
"""From a run's creation, its retry or a person's answer to its deadline."""
LIMIT = 1
"""Agent slots of a host."""

OPEN = frozenset({AttemptState.STARTED, AttemptState.RETRYING})

Report = Outcome | Close
"""What a claimer says: a stage's outcome, or the close of a run that was cancelled or is late."""


class Held(NamedTuple):
    """A claim as its holder knows it, still true or long lost."""

    run: str
    fence: int
    stage: Stage
    number: int
    host: str
    counts: tuple[int, int]
    cancelled: bool
    late: bool

    def decision(self, report: Report) -> Decision:
        """Turn a report into what is to be written, from the counts that the claim was given."""
        if isinstance(report, Close):
            return report
        return decide(self.stage, Counts(*self.counts), report, POLICY, CHANCE)


@dataclass(slots=True)
class Try:
    """One attempt."""

    state: AttemptState = AttemptState.WAITING
    claims: int = 0


@dataclass(slots=True)
class Row:
    """One run."""

    key: str
    repository: str
    requested: str
    feature: str | None
    stage: Stage
    turn: float
    dispatch_at: float | None
    deadline: float
    status: RunStatus = RunStatus.PENDING
    fence: int = 0
    until: float | None = None
    """The end of the lease; None: nobody holds the run."""
    waiting: WaitingReason | None = None
    dispatches: int = 0
    errors: int = 0
    crashes: int = 0
    rounds: int = 0
    cancel: bool = False
    host: str | None = None
    job: str | None = None
    error: str | None = None
    asks: str | None = None
    """The kind of what a person was asked at this stage."""
    answered: bool = False
    tries: dict[Stage, list[Try]] = field(default_factory=dict)
    events: list[EventType] = field(default_factory=list)

    @property
    def free(self) -> bool:
        """Return True if the run goes on and nobody holds it."""
        return self.until is None and not self.status.terminal

    @property
    def open_question(self) -> bool:
        """Return True if the run waits for a person."""
        return self.free and self.waiting is WaitingReason.NEEDS_ATTENTION

    @property
    def chooses(self) -> bool:
        """Return True if a person has yet to choose the run's feature."""
        return self.open_question and self.asks == CHOOSE_FEATURE

    def forget_question(self) -> None:
        """Drop what was asked, with its answer: the stage that asked has ended."""
        self.asks, self.answered = None, False

    @property
    def latest(self) -> Try:
        """Return the attempt at the run's stage."""
        return self.tries[self.stage][-1]
