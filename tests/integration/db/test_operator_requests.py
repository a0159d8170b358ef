from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from moonmind.db.clock import db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.errors import ErrorInfo, RunActive
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, Close, RetryMode, RunStatus, TryAgain, WaitingReason
from moonmind.runs.records import Claim, Run
from tests.support.databases import (
    HOST,
    a_wait,
    add_run,
    at_once,
    claim_run,
    due,
    event_types,
    events_of,
    everything,
    make_due,
    reach,
    read_run,
    set_columns,
    suspend,
)

ERROR = ErrorInfo("push_rejected", "protected branch")
RESUME, RESTART = RetryMode.RESUME_FAILED_TASK, RetryMode.RESTART_FROM_DISCOVERY


def end(database: Database, stage: Stage, status: RunStatus = RunStatus.FAILED, **values: Any) -> Run:
    run = reach(database, stage, **values)
    claim = claim_run(database, run.id, stage)
    with database.write() as unit:
        decision = Close(status, AttemptState.FAILED, checkpoint={"patch": "p"}, error=ERROR, reason="why")
        closed = unit.outcomes.write(claim, decision)
    assert closed is not None
    return closed


def retry(database: Database, run: Run, mode: RetryMode, notes: str | None = None) -> Run | None:
    with database.write() as unit:
        return unit.requests.retry(run.id, mode, notes, 3600.0, uuid4())


def cancel(database: Database, run: Run) -> Run | None:
    with database.write() as unit:
        return unit.requests.request_cancel(run.id)


def test_a_resumed_run_goes_on_at_its_stage_with_what_was_kept(database: Database) -> None:
    run = end(database, Stage.PUBLISH)
    set_columns(database, run.id, errors=3, crashes=2, rounds=1, cancel_requested_at=db_now_plus(0), dispatches=3)
    after = retry(database, run, RESUME, "try harder")
    assert after is not None
    assert (after.status, after.stage, after.notes) == (RunStatus.RETRYING, Stage.PUBLISH, "try harder")
    assert (after.errors, after.crashes, after.rounds, after.dispatches) == (0, 0, 0, 0)
    assert (after.cancel_requested_at, after.error, after.reason, after.completed_at) == (None, None, None, None)
    assert (after.deadline - after.not_before).total_seconds() == 3600
    assert after.chain_id != run.chain_id
    event = events_of(database, run.id)[-1]
    assert (event.type, event.data["mode"]) == ("run.retried", "resume_failed_task")
    with database.read() as unit:
        assert sorted(unit.attempts.results(run.id)) == ["apply", "discover", "submit"]
        attempt = unit.attempts.latest(run.id)[Stage.PUBLISH.position]
    assert (attempt.number, attempt.state, attempt.operator_retry) == (2, AttemptState.RETRYING, True)
    claim = claim_run(database, run.id, Stage.PUBLISH)
    assert (claim.attempt.id, claim.attempt.checkpoint) == (attempt.id, {"patch": "p"})
    assert claim.run.status is RunStatus.RUNNING


def test_a_restarted_run_begins_at_discover_and_counts_no_old_results(database: Database) -> None:
    run = end(database, Stage.APPLY, feature_key="specs/042-x", notes="first")
    after = retry(database, run, RESTART)
    assert after is not None
    assert (after.stage, after.feature_key, after.notes) == (Stage.DISCOVER, None, "first")
    with database.read() as unit:
        latest = unit.attempts.latest(run.id)
        assert unit.attempts.results(run.id) == {}
    assert [one.number for one in latest] == [2, 2, 2, 1, 1]
    assert [one.state.value for one in latest] == ["retrying", "waiting", "waiting", "waiting", "waiting"]
    assert [one.operator_retry for one in latest] == [True, False, False, False, False]
    assert claim_run(database, run.id).attempt.checkpoint is None


@pytest.mark.parametrize(
    ("status", "mode", "allowed"),
    [
        (RunStatus.FAILED, RESUME, True),
        (RunStatus.CANCELLED, RESUME, True),
        (RunStatus.CANCELLED, RESTART, True),
        (RunStatus.NO_WORK, RESUME, False),
        (RunStatus.NO_WORK, RESTART, True),
        (RunStatus.SUCCEEDED, RESUME, False),
        (RunStatus.SUCCEEDED, RESTART, False),
    ],
)
def test_a_retry_is_guarded_by_the_status(
    database: Database, status: RunStatus, mode: RetryMode, allowed: bool
) -> None:
    run = end(database, Stage.DISCOVER, status)
    before = everything(database)
    assert (retry(database, run, mode) is not None) == allowed
    assert (everything(database) == before) != allowed


def test_an_active_run_is_not_retried_and_of_many_retries_one_counts(database: Database) -> None:
    run = add_run(database)
    assert retry(database, run, RESTART) is None
    ended = end(database, Stage.SUBMIT)
    results = at_once(6, lambda _: retry(database, ended, RESUME))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1
    assert event_types(database, ended.id).count("run.retried") == 1


@pytest.mark.parametrize("requested", ["", "042"])
def test_a_retry_while_another_run_works_on_the_feature_is_refused(database: Database, requested: str) -> None:
    run = end(database, Stage.SUBMIT, repository="octo/cat", requested_key=requested, feature_key="specs/042-x")
    other = add_run(database, repository="octo/cat", requested_key="", feature_key="specs/042-x")
    before = everything(database)
    with pytest.raises(RunActive) as refused:
        retry(database, run, RESUME)
    assert refused.value.details == {"runId": str(other.id)}
    assert everything(database) == before


def test_a_run_that_nobody_holds_is_cancelled_at_once(database: Database) -> None:
    run = add_run(database)
    after = cancel(database, run)
    assert after is not None
    assert (after.status, after.dispatch_after) == (RunStatus.CANCELLED, None)
    assert after.cancel_requested_at is not None
    assert after.completed_at is not None
    assert event_types(database, run.id) == ["run.created", "run.cancel_requested", "run.closed"]
    assert cancel(database, run) is None
    assert cancel(database, after) is None
    with database.read() as unit:
        assert {one.state for one in unit.attempts.latest(run.id)} == {AttemptState.WAITING}


def test_a_run_whose_publishing_began_is_ended_by_a_claimer_that_looks_for_leftovers(database: Database) -> None:
    untouched, begun = reach(database, Stage.PUBLISH), reach(database, Stage.PUBLISH)
    claim = claim_run(database, begun.id, Stage.PUBLISH)
    assert not claim.again
    with database.write() as unit:
        unit.rescues.release_all_leases()
    first, second = cancel(database, untouched), cancel(database, begun)
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (RunStatus.CANCELLED, RunStatus.RUNNING)
    assert due(database) == [begun.id]
    again = claim_run(database, begun.id, Stage.PUBLISH)
    assert (again.again, again.cancel_requested) == (True, True)


def test_a_cancelled_wait_ends_its_attempt(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        unit.outcomes.write(claim, a_wait(WaitingReason.CAPACITY, checkpoint={"k": 1}, renews_deadline=True))
    after = cancel(database, run)
    assert after is not None
    assert (after.status, after.waiting_reason) == (RunStatus.CANCELLED, None)
    with database.read() as unit:
        attempt = unit.attempts.latest(run.id)[1]
    assert (attempt.state, attempt.checkpoint) == (AttemptState.FAILED, {"k": 1})
    assert attempt.error is not None
    assert attempt.error.code == "cancelled"
    assert retry(database, run, RESUME) is not None
    assert claim_run(database, run.id, Stage.SUBMIT).attempt.checkpoint == {"k": 1}


def test_a_held_run_is_only_asked_and_asked_once(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    first = cancel(database, run)
    second = cancel(database, run)
    assert first is not None
    assert first.status is RunStatus.RUNNING
    assert second == first
    assert event_types(database, run.id).count("run.cancel_requested") == 1
    with database.write() as unit:
        assert unit.claims.return_lease(run.id, claim.fence)
    third = cancel(database, run)
    assert third is not None
    assert third.status is RunStatus.CANCELLED


def test_a_run_with_an_agent_is_made_due_for_its_own_host(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        unit.outcomes.write(claim, a_wait(seconds=3600))
    set_columns(database, run.id, agent_host=HOST)
    after = cancel(database, run)
    assert after is not None
    assert after.status is RunStatus.RUNNING
    with database.read() as unit:
        assert [one.id for one in unit.dispatch.overdue(10)] == [run.id]
    assert claim_run(database, run.id, Stage.SUBMIT).cancel_requested


def test_a_run_with_a_job_but_no_host_is_left_to_a_claimer(database: Database) -> None:
    run = suspend(database, reach(database, Stage.APPLY), WaitingReason.CAPACITY)
    assert (run.agent_host, run.job_key) == (None, "j")
    after = cancel(database, run)
    assert after is not None
    assert after.status is RunStatus.RUNNING
    assert due(database) == [run.id]
    assert claim_run(database, run.id, Stage.APPLY).cancel_requested


def test_a_cancel_that_comes_right_before_a_suspension_is_followed_at_once(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    cancel(database, run)
    with database.write() as unit:
        suspended = unit.outcomes.write(claim, a_wait(WaitingReason.QUOTA, seconds=1e6, renews_deadline=True))
    assert suspended is not None
    assert due(database) == [run.id]
    with database.write() as unit:
        unit.rescues.release_all_leases()
    assert due(database) == [run.id]
    claim = claim_run(database, run.id, Stage.SUBMIT)
    with database.write() as unit:
        unit.outcomes.write(claim, TryAgain(1e6, ERROR, None))
    assert due(database) == [run.id]


def test_a_cancel_that_races_with_a_claim_is_never_lost(database: Database) -> None:
    def act(run: Run, number: int) -> Run | Claim | None:
        return cancel(database, run) if number else claim_run(database, run.id)

    for _ in range(10):
        run = add_run(database)
        results = at_once(2, partial(act, run))
        after = read_run(database, run.id)
        assert after.cancel_requested_at is not None
        if after.status is RunStatus.CANCELLED:
            assert isinstance(results[0], AssertionError)
        else:
            assert after.lease_owner is not None
    make_due(database, run.id)
