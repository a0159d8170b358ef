from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.errors import ErrorInfo, FeatureBusy
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Advance, AttemptState, Close, GoBack, RunStatus, TryAgain, WaitingReason
from moonmind.runs.records import Attempt, Claim, Run
from tests.support.databases import (
    HOST,
    a_wait,
    add_run,
    at_once,
    claim_run,
    event_types,
    events_of,
    everything,
    make_due,
    reach,
    read_run,
    set_columns,
)

FAR = datetime(2100, 1, 1, tzinfo=UTC)
ERROR = ErrorInfo("git_failed", "no network", "wait", {"exit": 128})


def latest(database: Database, run: Run) -> dict[Stage, Attempt]:
    with database.read() as unit:
        return {one.stage: one for one in unit.attempts.latest(run.id)}


def every(database: Database, run: Run, stage: Stage) -> list[Attempt]:
    with database.read() as unit:
        return [one for one in unit.attempts.all(run.id) if one.stage is stage]


def close(unit: UnitOfWork, claim: Claim, **values: Any) -> Run | None:
    plain: dict[str, Any] = {"status": RunStatus.FAILED, "attempt": AttemptState.FAILED}
    return unit.outcomes.write(claim, Close(**(plain | values)))


def wait(unit: UnitOfWork, claim: Claim, reason: WaitingReason = WaitingReason.AGENT, **values: Any) -> Run | None:
    return unit.outcomes.write(claim, a_wait(reason, **values))


WRITES: dict[str, Callable[[UnitOfWork, Claim], Run | None]] = {
    "advance": lambda unit, claim: unit.outcomes.write(claim, Advance(Stage.APPLY, {"a": 1, "phase": "2"})),
    "wait": lambda unit, claim: wait(unit, claim, checkpoint={"a": 1}),
    "try_again": lambda unit, claim: unit.outcomes.write(claim, TryAgain(5, ERROR, {"a": 1})),
    "go_back": lambda unit, claim: unit.outcomes.write(claim, GoBack(Stage.DISCOVER, "no", {"a": 1})),
    "close": lambda unit, claim: close(unit, claim, error=ERROR),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_record_under_a_lost_claim_writes_nothing(database: Database, name: str) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    stale = [replace(claim, fence=claim.fence - 1), replace(claim, fence=claim.fence + 1)]
    before = everything(database)
    for one in stale:
        with database.write() as unit:
            assert WRITES[name](unit, one) is None
    assert everything(database) == before
    with database.write() as unit:
        unit.claims.return_lease(run.id, claim.fence)
    before = everything(database)
    with database.write() as unit:
        assert WRITES[name](unit, claim) is None
    assert everything(database) == before


@pytest.mark.parametrize("name", WRITES)
def test_a_record_gives_the_claim_back_writes_one_event_and_works_once(database: Database, name: str) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        after = WRITES[name](unit, claim)
    assert after is not None
    assert after == read_run(database, run.id)
    assert (after.lease_owner, after.lease_until) == (None, None)
    assert after.event_seq == claim.run.event_seq + 1
    assert len(events_of(database, run.id)) == after.event_seq
    with database.write() as unit:
        assert WRITES[name](unit, claim) is None


@pytest.mark.parametrize("name", WRITES)
def test_of_many_records_under_one_claim_one_counts(database: Database, name: str) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)

    def write(_: int) -> Run | None:
        with database.write() as unit:
            return WRITES[name](unit, claim)

    results = at_once(6, write)
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1
    assert read_run(database, run.id).event_seq == claim.run.event_seq + 1


def test_done_moves_to_the_next_stage_and_forgets_what_was_counted(database: Database) -> None:
    run = add_run(database)
    set_columns(database, run.id, errors=2, crashes=1, dispatches=4)
    claim = claim_run(database, run.id)
    result = {"featureKey": "specs/042-x", "phase": "2", "usage": {"tokens": 5}}
    with database.write() as unit:
        after = unit.outcomes.write(claim, Advance(Stage.SUBMIT, {**result, "bad": "\x00"}))
    assert after is not None
    assert (after.stage, after.status, after.errors, after.crashes, after.dispatches) == (
        Stage.SUBMIT,
        RunStatus.RUNNING,
        0,
        0,
        0,
    )
    assert after.dispatch_after == after.not_before + timedelta(seconds=10)
    assert (after.feature_key, after.phase, after.usage) == ("specs/042-x", "2", {"tokens": 5})
    attempt = latest(database, run)[Stage.DISCOVER]
    assert (attempt.state, attempt.result) == (AttemptState.SUCCEEDED, {**result, "bad": ""})
    assert attempt.finished_at == after.updated_at
    with database.read() as unit:
        assert unit.attempts.results(run.id) == {Stage.DISCOVER: {**result, "bad": ""}}
    event = events_of(database, run.id)[-1]
    assert (event.type, event.stage, event.data) == (
        "attempt.succeeded",
        Stage.DISCOVER,
        {"attempt": 1, "next": "submit"},
    )
    assert claim_run(database, run.id, Stage.SUBMIT).attempt.number == 1


def test_discovery_of_a_busy_feature_is_refused_and_the_claim_still_holds(database: Database) -> None:
    holder = add_run(database, repository="octo/cat", requested_key="042", feature_key="specs/042-x")
    run = add_run(database, repository="octo/cat")
    claim = claim_run(database, run.id)
    before = everything(database)
    result = {"featureKey": "specs/042-x"}

    def advance() -> None:
        with database.write() as unit:
            unit.cooldowns.set("anything", unit.now(), "")
            unit.outcomes.write(claim, Advance(Stage.SUBMIT, result))

    with pytest.raises(FeatureBusy) as refused:
        advance()
    assert refused.value.details == {"runId": str(holder.id)}
    assert everything(database) == before
    with database.write() as unit:
        closed = close(unit, claim, error=refused.value.info())
    assert closed is not None
    assert closed.error is not None
    assert closed.error.code == "feature_busy"


def test_a_wait_keeps_the_attempt_and_says_until_when(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    kept = {"a": 1, "jobKey": "j", "codexTaskId": "t"}
    with database.write() as unit:
        after = wait(unit, claim, checkpoint=kept)
    assert after is not None
    assert after.waiting_since is not None
    assert after.not_before == after.dispatch_after
    assert abs(after.not_before - after.waiting_since - timedelta(seconds=60)) < timedelta(seconds=1)
    assert (after.status, after.waiting_reason) == (RunStatus.RUNNING, WaitingReason.AGENT)
    assert (after.job_key, after.codex_task_id, after.deadline) == ("j", "t", claim.run.deadline)
    event = events_of(database, run.id)[-1]
    assert (event.type, event.data["reason"]) == ("attempt.parked", "agent")
    make_due(database, run.id)
    second = claim_run(database, run.id, Stage.SUBMIT)
    assert second.attempt.checkpoint == kept
    with database.write() as unit:
        wait(unit, second, checkpoint=None)
    assert latest(database, run)[Stage.SUBMIT].checkpoint == kept
    make_due(database, run.id)
    third = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        wait(unit, third, checkpoint={"b": 2})
    assert latest(database, run)[Stage.SUBMIT].checkpoint == {"b": 2}
    assert latest(database, run)[Stage.SUBMIT].state is AttemptState.STARTED


def test_a_wait_may_move_the_deadline_past_its_end(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    with database.write() as unit:
        after = unit.outcomes.write(
            claim, a_wait(WaitingReason.QUOTA, until=FAR, renews_deadline=True), deadline_seconds=100.0
        )
    assert after is not None
    assert (after.not_before, after.deadline) == (FAR, FAR + timedelta(seconds=100))
    make_due(database, run.id)
    with database.write() as unit:
        after = wait(unit, claim_run(database, run.id), WaitingReason.CAPACITY, seconds=5.0, renews_deadline=True)
    assert after is not None
    assert after.deadline - after.not_before == timedelta(days=1)


def test_a_wait_beyond_the_deadline_is_dispatched_at_the_deadline(database: Database) -> None:
    run = add_run(database, deadline_seconds=30.0)
    with database.write() as unit:
        after = wait(unit, claim_run_in(unit, run, Stage.DISCOVER), seconds=60.0)
    assert after is not None
    assert after.dispatch_after == after.deadline == run.deadline
    assert after.not_before > after.deadline


@pytest.mark.parametrize("kept", [None, {"codexTaskId": "t", "patch": 2}])
def test_a_transient_error_opens_the_next_attempt_with_what_was_kept(
    database: Database, kept: dict[str, Any] | None
) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        wait(unit, claim, checkpoint={"codexTaskId": "t", "patch": 1})
    make_due(database, run.id)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        after = unit.outcomes.write(claim, TryAgain(30, ERROR, kept))
    assert after is not None
    assert (after.errors, after.waiting_reason, after.codex_task_id) == (1, WaitingReason.BACKOFF, "t")
    failed, following = every(database, run, Stage.SUBMIT)
    left = kept or {"codexTaskId": "t", "patch": 1}
    assert (failed.state, failed.error, failed.checkpoint) == (AttemptState.FAILED, ERROR, left)
    assert (following.state, following.number, following.checkpoint) == (AttemptState.RETRYING, 2, left)
    assert (following.operator_retry, following.started_at) == (False, None)
    assert event_types(database, run.id)[-1] == "attempt.retried"
    make_due(database, run.id)
    again = claim_run(database, run.id, Stage.SUBMIT)
    assert (again.attempt.id, again.attempt.checkpoint, again.run.errors) == (following.id, left, 1)


def test_a_redo_opens_fresh_attempts_whose_old_results_do_not_count(database: Database) -> None:
    run = reach(database, Stage.APPLY)
    claim = claim_run(database, run.id, Stage.APPLY)
    with database.write() as unit:
        after = unit.outcomes.write(claim, GoBack(Stage.SUBMIT, "two tests fail", {"thread": "t"}))
        assert unit.attempts.results(run.id) == {Stage.DISCOVER: {"from": "discover"}}
    assert after is not None
    assert (after.stage, after.rounds, after.status) == (Stage.SUBMIT, 1, RunStatus.RUNNING)
    now = latest(database, run)
    assert [now[stage].number for stage in Stage] == [1, 2, 2, 1, 1]
    assert [now[stage].state.value for stage in Stage] == ["succeeded", "retrying", "waiting", "waiting", "waiting"]
    sent_back = every(database, run, Stage.APPLY)[0]
    assert sent_back.state is AttemptState.FAILED
    assert sent_back.error == ErrorInfo("sent_back", "two tests fail")
    event = events_of(database, run.id)[-1]
    assert (event.type, event.stage, event.data["to"]) == ("attempt.sent_back", Stage.APPLY, "submit")
    again = claim_run(database, run.id, Stage.SUBMIT)
    assert (again.attempt.note, again.attempt.checkpoint) == ("two tests fail", {"thread": "t"})


def test_a_note_outlives_a_transient_error(database: Database) -> None:
    run = reach(database, Stage.APPLY)
    with database.write() as unit:
        unit.outcomes.write(claim_run_in(unit, run, Stage.APPLY), GoBack(Stage.SUBMIT, "again", None))
    with database.write() as unit:
        claim = claim_run_in(unit, run, Stage.SUBMIT)
        unit.outcomes.write(claim, TryAgain(0, ERROR, None))
    assert claim_run(database, run.id, Stage.SUBMIT).attempt.note == "again"


def claim_run_in(unit: UnitOfWork, run: Run, stage: Stage) -> Claim:
    claim = unit.claims.take(run.id, stage, owner="me", chain_id=None, host_id=HOST, lease_seconds=60)
    assert claim is not None
    return claim
