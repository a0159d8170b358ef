"""What must be true of the rows after every move, whoever made it; said of the tables and of the model alike."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from moonmind.runs.attention import CHOOSE_FEATURE
from moonmind.runs.machine import ACTIVE, AttemptState, RunStatus, WaitingReason
from tests.model.values import LIMIT, OPEN, POLICY

SLACK = 4.0
"""How far an instant may be from the model's, in seconds: the moves take moments, the model's clock stands still."""
SUBMIT = 1
MAX_ERRORS = max(POLICY.max_errors, POLICY.max_outages)


LEGAL: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED}),
        RunStatus.RUNNING: frozenset(
            {RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.NO_WORK, RunStatus.CANCELLED}
        ),
        RunStatus.RETRYING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED}),
        RunStatus.SUCCEEDED: frozenset(),
        RunStatus.FAILED: frozenset({RunStatus.RETRYING}),
        RunStatus.NO_WORK: frozenset({RunStatus.RETRYING}),
        RunStatus.CANCELLED: frozenset({RunStatus.RETRYING}),
    }
)
"""From which status a run may move to which. Leaving a terminal status takes an operator's retry."""


class RunRow(NamedTuple):
    """What a row of `run` says; instants are seconds from now."""

    key: str
    host: str | None
    held: bool
    cancel: bool
    completed: bool
    error: str | None
    asks: str | None
    answered: bool
    repository_key: str
    requested_key: str
    feature_key: str | None
    status: RunStatus
    stage: int
    fence: int
    dispatches: int
    waiting_reason: WaitingReason | None
    errors: int
    crashes: int
    rounds: int
    job_key: str | None
    event_seq: int
    lease_until: float | None
    not_before: float
    dispatch_after: float | None
    deadline: float


INSTANTS = RunRow._fields[-4:]


@dataclass(slots=True)
class Snapshot:
    """All that the rows say."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    tries: dict[tuple[str, int], list[tuple[int, AttemptState, int]]] = field(default_factory=dict)
    """Number, state and claims of every attempt, by run and stage, as they were written."""
    events: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Number and type, as they were written."""
    slots: dict[str, str] = field(default_factory=dict)
    """From run to host."""


def check(before: Snapshot, after: Snapshot, *, claimed: str | None = None, retried: str | None = None) -> None:
    """Hold one move against the laws; `claimed` and `retried` name the run for which such a move succeeded."""
    for key, row in after.runs.items():
        if key in before.runs:
            check_move(before.runs[key], row, claimed=claimed == key, retried=retried == key)
        check_row(row)
        check_attempts(row, after)
        numbers = [number for number, _ in after.events[key]]
        assert numbers == list(range(1, row.event_seq + 1)), "events are dense"
    assert before.runs.keys() <= after.runs.keys(), "no run is lost"
    active = [row for row in after.runs.values() if row.status in ACTIVE]
    features = [(row.repository_key, row.feature_key) for row in active if row.feature_key]
    assert len(features) == len(set(features)), "one active run of a feature"
    asked = [(row.repository_key, row.requested_key) for row in active]
    assert len(asked) == len(set(asked)), "one active run of a request"
    assert all(taken <= LIMIT for taken in Counter(after.slots.values()).values()), "no more slots than there are"
    for key, host in after.slots.items():
        run = after.runs[key]
        assert run.status in ACTIVE, "a run that has ended holds no slot"
        assert (run.host, run.stage) == (host, SUBMIT), "a slot is held where the agent is, while it is at work"
        assert run.waiting_reason != WaitingReason.NEEDS_ATTENTION, "who waits for a person holds no slot"


def check_move(before: RunRow, after: RunRow, *, claimed: bool, retried: bool) -> None:
    """Hold what became of one row against the table of legal moves."""
    assert after.status == before.status or after.status in LEGAL[before.status], "a legal move"
    assert after.fence == before.fence + claimed, "the fence grows by one at a claim, and never else"
    if before.status not in ACTIVE and not retried:
        assert after[:21] == before._replace(job_key=after.job_key)[:21], "what has ended is left only by a retry"


def check_row(row: RunRow) -> None:
    """Hold one row against what is always true of a row."""
    assert row.held == (row.lease_until is not None), "a lease has an owner and an end, or neither"
    if row.status in ACTIVE:
        assert row.held or row.dispatch_after is not None, "a run that goes on is leased or dispatchable"
        assert not row.completed
        assert row.crashes < POLICY.max_crashes, "lost workers are bounded"
    else:
        assert not row.held
        assert row.dispatch_after is None
        assert row.completed
        assert row.asks is None, "what has ended asks nothing"
    assert row.asks is not None or not row.answered
    if row.waiting_reason == WaitingReason.NEEDS_ATTENTION:
        assert row.asks is not None, "who waits for a person asks something"
        assert not row.answered, "an answer ends the wait"
        assert not row.held
        assert row.asks != CHOOSE_FEATURE or row.feature_key is None, "a run without a choice works on no feature"
    assert row.errors <= MAX_ERRORS, "errors are bounded"
    assert row.rounds <= POLICY.max_rounds, "rounds are bounded"


def check_attempts(row: RunRow, snapshot: Snapshot) -> None:
    """Hold the attempts of one run against its row."""
    for stage in range(5):
        tries = snapshot.tries[row.key, stage]
        assert [number for number, _, _ in tries] == list(range(1, len(tries) + 1)), "attempts are dense"
        assert not any(state in OPEN for _, state, _ in tries[:-1]), "only the latest attempt is open"
        state = tries[-1][1]
        if stage < row.stage:
            assert state == AttemptState.SUCCEEDED, "what is behind the run is done"
        elif stage > row.stage:
            assert state == AttemptState.WAITING, "what is before the run has not begun"
        else:
            assert row.status in ACTIVE or state not in OPEN, "what has ended leaves no attempt open"
            assert not row.held or state == AttemptState.STARTED, "who holds a run has begun"


def check_same(found: Snapshot, expected: Snapshot) -> None:
    """Hold the tables against the model: equal, but for moments."""
    assert found.runs.keys() == expected.runs.keys()
    for key, row in found.runs.items():
        should = expected.runs[key]
        near = _rounded(row, should)
        unlike = [name for name, is_it, it in zip(row._fields, near, should, strict=True) if is_it != it]
        assert not unlike, {name: (getattr(row, name), getattr(should, name)) for name in unlike}
    assert found.tries == expected.tries
    assert found.events == expected.events
    assert found.slots == expected.slots


def _rounded(row: RunRow, expected: RunRow) -> RunRow:
    """Return the row with the expected instants where they are near enough."""
    near: dict[str, Any] = {}
    for name in INSTANTS:
        is_at, should = getattr(row, name), getattr(expected, name)
        if is_at is not None and should is not None and abs(is_at - should) < SLACK:
            near[name] = should
    return row._replace(**near)
