"""The check would notice: each defect that is planted here is found, by a law or by the model."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection, select, true

from moonmind.db import claims, operator_requests, outcomes, rescues
from moonmind.db.claims import Claims
from moonmind.db.journal import record
from moonmind.db.operator_requests import Requests
from moonmind.db.outcomes import Outcomes
from moonmind.db.rescues import Rescues
from moonmind.db.tables import run
from moonmind.engine import executor
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import (
    RETRYABLE_WITH,
    Counts,
    Decision,
    Outcome,
    RetryMode,
    RunStatus,
    decide,
    may_retry,
)
from moonmind.runs.records import Claim, Pulse, Run
from moonmind.runs.retry import RetryPolicy
from tests.model import values, world
from tests.model.moves import Moves, beside
from tests.model.repositories import Repositories
from tests.support.model import finding

ENOUGH = 1000
"""Each of these is found long before, with the same sequence every time."""

Plant = Callable[[pytest.MonkeyPatch], None]


def _fence(connection: Connection, run_id: UUID) -> int:
    """Read the fence of whoever holds the run: to guard a write by it is to guard it by nothing."""
    found: int = connection.execute(select(run.c.fence).where(run.c.id == run_id)).scalar_one()
    return found


def records_under_any_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Outcomes._release

    def careless(self: Outcomes, claim: Claim, **values: Any) -> Run | None:
        return release(self, replace(claim, fence=_fence(self._connection, claim.run.id)), **values)

    monkeypatch.setattr(Outcomes, "_release", careless)


def renews_under_any_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = Claims.heartbeat

    def careless(self: Claims, run_id: UUID, fence: int, lease_seconds: float) -> Pulse | None:
        return heartbeat(self, run_id, _fence(self._connection, run_id), lease_seconds)

    monkeypatch.setattr(Claims, "heartbeat", careless)


def returns_under_any_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    return_lease = Claims.return_lease

    def careless(self: Claims, run_id: UUID, fence: int) -> bool:
        return return_lease(self, run_id, _fence(self._connection, run_id))

    monkeypatch.setattr(Claims, "return_lease", careless)


def claims_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "unleased", true())


def retries_what_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    anything = dict(RETRYABLE_WITH) | {RunStatus.SUCCEEDED: frozenset(RetryMode)}
    monkeypatch.setattr(operator_requests, "RETRYABLE_WITH", anything)


def suspends_without_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def quiet(
        connection: Connection, changed: Run, kind: EventType, data: Mapping[str, Any], stage: Stage | None = None
    ) -> None:
        if kind is not EventType.ATTEMPT_SUSPENDED:
            record(connection, changed, kind, data, stage)

    monkeypatch.setattr(outcomes, "record", quiet)


def forgives_a_lost_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    expire = Rescues.expire_leases
    monkeypatch.setattr(Rescues, "expire_leases", lambda self, max_crashes: expire(self, max_crashes + 1))


def keeps_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor.Recorder, "_frees_slot", lambda self, claim, decision: False)


def leaves_attempts_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescues, "end_open_attempts", lambda connection, closed, error: None)


def answers_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Requests.answer

    def careless(self: Requests, asked: Run, *given: Any, **values: Any) -> Run | None:
        return answer(self, replace(asked, fence=_fence(self._connection, asked.id)), *given, **values)

    monkeypatch.setattr(Requests, "answer", careless)


def tries_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(stage: Stage, counts: Counts, outcome: Outcome, policy: RetryPolicy, chance: float) -> Decision:
        return decide(stage, Counts(0, counts.rounds), outcome, policy, chance)

    monkeypatch.setattr(values, "decide", stubborn)


def goes_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(stage: Stage, counts: Counts, outcome: Outcome, policy: RetryPolicy, chance: float) -> Decision:
        return decide(stage, Counts(counts.errors, 0), outcome, policy, chance)

    monkeypatch.setattr(values, "decide", stubborn)


def may_retry_what_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    def anything(status: RunStatus, mode: RetryMode) -> bool:
        return status is RunStatus.SUCCEEDED or may_retry(status, mode)

    monkeypatch.setattr(world, "may_retry", anything)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "plant",
    [
        records_under_any_fence,
        renews_under_any_fence,
        pytest.param(returns_under_any_fence, marks=pytest.mark.full),
        claims_what_is_held,
        pytest.param(retries_what_succeeded, marks=pytest.mark.full),
        suspends_without_an_event,
        forgives_a_lost_worker,
        keeps_the_slot,
        leaves_attempts_open,
        answers_another_question,
    ],
)
@pytest.mark.in_every_run(4)
def test_a_defect_of_the_repositories_is_found(
    plant: Plant, sqlite_repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(beside(sqlite_repositories), settings=finding(ENOUGH))


@pytest.mark.parametrize("plant", [tries_again_for_ever, goes_back_for_ever, may_retry_what_succeeded])
def test_a_defect_of_the_machine_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Moves, settings=finding(ENOUGH))
