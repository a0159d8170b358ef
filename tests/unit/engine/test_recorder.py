"""One write per attempt, under its fence."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from moonmind import bootstrap
from moonmind.db.unit_of_work import Database
from moonmind.engine.executor import Recorded, Recorder
from moonmind.errors import ErrorInfo
from moonmind.runs.chain import Stage
from moonmind.runs.machine import (
    WAITS_FOR_JOB,
    Advance,
    AttemptState,
    Close,
    Decision,
    GoBack,
    RunStatus,
    TryAgain,
    Wait,
    WaitingReason,
)
from moonmind.runs.records import Claim, Run
from tests.support.databases import (
    HOST,
    add_run,
    claim_run,
    everything,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
)
from tests.support.engine_room import complaints

ERROR = ErrorInfo("git_failed", "no network")
FAILED = Close(RunStatus.FAILED, AttemptState.FAILED, error=ERROR)
SUCCEEDED = Close(RunStatus.SUCCEEDED, AttemptState.SUCCEEDED)


def waits(reason: WaitingReason, *, until: datetime | None = None) -> Wait:
    working = reason in WAITS_FOR_JOB or reason is WaitingReason.BACKOFF
    return Wait(reason, 60.0, until, {}, not working, reason is not WaitingReason.AGENT)


@pytest.fixture
def recorder(database: Database) -> Recorder:
    register_host(database)
    return Recorder(database, bootstrap.STAGES, run_deadline_seconds=3600.0)


def ids(recorded: Recorded) -> list[UUID]:
    return [run.id for run in recorded.due]


@pytest.mark.parametrize(
    "decision",
    [
        Advance(Stage.APPLY, {"wip": "1"}),
        waits(WaitingReason.AGENT),
        waits(WaitingReason.CAPACITY),
        waits(WaitingReason.ENVIRONMENT),
        TryAgain(1.0, ERROR, {}),
        GoBack(Stage.DISCOVER, "again", {}),
        FAILED,
    ],
)
def test_a_stale_fence_writes_nothing_at_all(database: Database, recorder: Recorder, decision: Decision) -> None:
    claim = claim_run(database, reach(database, Stage.SUBMIT).id, Stage.SUBMIT)
    with database.write() as unit:
        assert unit.slots.take(claim.run.id, claim.fence, HOST, 1)
    set_columns(database, claim.run.id, fence=claim.fence + 1)
    before = everything(database)
    with capture_logs() as logs:
        assert recorder.record(claim, decision) == Recorded(advanced=False, written=False)
    assert everything(database) == before
    assert complaints(logs) == ["attempt.stale"]


def test_recording_twice_is_recording_once(database: Database, recorder: Recorder) -> None:
    claim = claim_run(database, add_run(database).id)
    assert recorder.record(claim, Advance(Stage.SUBMIT, {})).advanced
    before = everything(database)
    with capture_logs():
        assert not recorder.record(claim, Advance(Stage.SUBMIT, {})).advanced
    assert everything(database) == before


def test_outputs_become_facts_of_the_run(database: Database, recorder: Recorder) -> None:
    claim = claim_run(database, add_run(database).id)
    outputs = {"featureKey": "specs/001-x", "phase": "Phase 1", "branchName": "moonmind/x", "other": 1}
    recorder.record(claim, Advance(Stage.SUBMIT, outputs))
    after = read_run(database, claim.run.id)
    assert (after.feature_key, after.phase, after.branch, after.stage) == (
        "specs/001-x",
        "Phase 1",
        "moonmind/x",
        Stage.SUBMIT,
    )


@pytest.mark.parametrize(
    ("reason", "moves"),
    [
        (WaitingReason.AGENT, False),
        (WaitingReason.BACKOFF, False),
        (WaitingReason.CAPACITY, True),
        (WaitingReason.QUOTA, True),
        (WaitingReason.RATE_LIMIT, True),
        (WaitingReason.NEEDS_ATTENTION, True),
    ],
)
def test_only_waiting_for_others_moves_the_deadline(
    database: Database, recorder: Recorder, reason: WaitingReason, moves: bool
) -> None:
    claim = claim_run(database, add_run(database).id)
    recorder.record(claim, waits(reason))
    after = read_run(database, claim.run.id)
    assert after.waiting_reason is reason
    if moves:
        assert after.deadline - after.not_before == timedelta(seconds=3600)
    else:
        assert after.deadline == claim.run.deadline


def test_a_stated_end_of_the_wait_is_kept_to_the_instant(database: Database, recorder: Recorder) -> None:
    reset = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    claim = claim_run(database, add_run(database).id)
    recorder.record(claim, waits(WaitingReason.QUOTA, until=reset))
    after = read_run(database, claim.run.id)
    assert (after.not_before, after.deadline) == (reset, reset + timedelta(hours=1))


def submitting(database: Database) -> Claim:
    """Claim a submit attempt that holds a slot, while another run waits for one."""
    claim = claim_run(database, reach(database, Stage.SUBMIT).id, Stage.SUBMIT)
    with database.write() as unit:
        assert unit.slots.take(claim.run.id, claim.fence, HOST, 1)
    return claim


@pytest.mark.parametrize(
    ("decision", "frees"),
    [
        (Advance(Stage.APPLY, {}), True),
        (waits(WaitingReason.AGENT), False),
        (waits(WaitingReason.QUOTA), True),
        (TryAgain(1.0, ERROR, {}), True),
        (FAILED, True),
    ],
)
def test_a_slot_is_freed_by_the_write_that_ends_its_job(
    database: Database, recorder: Recorder, decision: Decision, frees: bool
) -> None:
    claim = submitting(database)
    waiter = suspend(database, reach(database, Stage.SUBMIT), WaitingReason.CAPACITY)
    recorded = recorder.record(claim, decision)
    with database.read() as unit:
        assert unit.slots.used(HOST) == (0 if frees else 1)
        assert waiter.not_before > unit.now()
    if not frees:
        assert recorded.due == ()
        return
    woken = read_run(database, waiter.id)
    assert ids(recorded) == [waiter.id]
    assert woken.not_before < waiter.not_before


def test_a_later_stage_frees_what_a_run_still_holds_when_it_ends(database: Database, recorder: Recorder) -> None:
    claim = submitting(database)
    recorder.record(claim, waits(WaitingReason.AGENT))
    set_columns(database, claim.run.id, stage=Stage.PUBLISH, waiting_reason=None, waiting_since=None)
    set_columns(database, claim.run.id, not_before=claim.run.not_before)
    recorder.record(claim_run(database, claim.run.id, Stage.PUBLISH), FAILED)
    with database.read() as unit:
        assert unit.slots.used(HOST) == 0


def test_going_back_makes_the_run_itself_due(database: Database, recorder: Recorder) -> None:
    run = reach(database, Stage.APPLY)
    recorded = recorder.record(claim_run(database, run.id, Stage.APPLY), GoBack(Stage.SUBMIT, "again", {}))
    assert (recorded.advanced, ids(recorded)) == (False, [run.id])


@pytest.mark.parametrize(("decision", "host"), [(SUCCEEDED, None), (FAILED, HOST)])
def test_only_a_run_that_succeeded_lets_go_of_its_host(
    database: Database, recorder: Recorder, decision: Decision, host: UUID | None
) -> None:
    run: Run = reach(database, Stage.FINALIZE)
    set_columns(database, run.id, agent_host=HOST)
    recorded = recorder.record(claim_run(database, run.id, Stage.FINALIZE), decision)
    assert recorded.advanced is (decision is SUCCEEDED)
    after = read_run(database, run.id)
    assert (after.agent_host, after.status.terminal, after.completed_at is not None) == (host, True, True)
    assert after.error == (None if decision is SUCCEEDED else ERROR)


def test_a_feature_that_is_taken_closes_the_run_that_came_second(database: Database, recorder: Recorder) -> None:
    first = add_run(database, repository="octo/demo", requested_key="1")
    second = add_run(database, repository="octo/demo", requested_key="2")
    found = Advance(Stage.SUBMIT, {"featureKey": "specs/001-demo"})
    assert recorder.record(claim_run(database, first.id), found).advanced
    assert not recorder.record(claim_run(database, second.id), found).advanced
    after = read_run(database, second.id)
    assert after.error is not None
    assert (after.status, after.error.code, after.lease_owner) == (RunStatus.FAILED, "feature_busy", None)
    assert after.feature_key is None
