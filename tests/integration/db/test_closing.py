from typing import Any

from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.errors import ErrorInfo
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, Close, RunStatus
from moonmind.runs.records import Attempt, Claim, Run
from tests.support.databases import (
    HOST,
    add_run,
    claim_run,
    events_of,
    reach,
    register_host,
)

ERROR = ErrorInfo("git_failed", "no network", "wait", {"exit": 128})


def latest(database: Database, run: Run) -> dict[Stage, Attempt]:
    with database.read() as unit:
        return {one.stage: one for one in unit.attempts.latest(run.id)}


def close(unit: UnitOfWork, claim: Claim, **values: Any) -> Run | None:
    plain: dict[str, Any] = {"status": RunStatus.FAILED, "attempt": AttemptState.FAILED}
    return unit.outcomes.write(claim, Close(**(plain | values)))


def test_a_closed_run_is_out_of_every_queue(database: Database) -> None:
    register_host(database)
    run = reach(database, Stage.FINALIZE)
    claim = claim_run(database, run.id, Stage.FINALIZE)
    with database.write() as unit:
        unit.slots.take(run.id, claim.fence, HOST, 1)
        after = close(unit, claim, status=RunStatus.SUCCEEDED, attempt=AttemptState.SUCCEEDED, result={"t": 1})
    assert after is not None
    assert (after.status, after.completed_at, after.dispatch_after) == (RunStatus.SUCCEEDED, after.updated_at, None)
    assert after.agent_host is None
    attempt = latest(database, run)[Stage.FINALIZE]
    assert (attempt.state, attempt.result) == (AttemptState.SUCCEEDED, {"t": 1})
    event = events_of(database, run.id)[-1]
    assert (event.type, event.data) == ("run.closed", {"status": "succeeded", "attempt": 1})
    with database.read() as unit:
        assert unit.dispatch.overdue(10) == []


def test_a_failed_run_keeps_its_error_its_host_and_what_was_done(database: Database) -> None:
    register_host(database)
    run = reach(database, Stage.SUBMIT)
    claim = claim_run(database, run.id, Stage.SUBMIT)
    left = {"patch": "p", "branchName": "moonmind/x"}
    with database.write() as unit:
        unit.slots.take(run.id, claim.fence, HOST, 1)
        after = close(unit, claim, error=ERROR, checkpoint=left)
    assert after is not None
    assert (after.error, after.agent_host, after.branch, after.stage) == (ERROR, HOST, "moonmind/x", Stage.SUBMIT)
    now = latest(database, run)
    assert (now[Stage.SUBMIT].state, now[Stage.SUBMIT].error) == (AttemptState.FAILED, ERROR)
    assert now[Stage.SUBMIT].checkpoint == left
    assert {now[stage].state for stage in (Stage.APPLY, Stage.PUBLISH, Stage.FINALIZE)} == {AttemptState.WAITING}
    assert events_of(database, run.id)[-1].data["error"] == ERROR.as_json()


def test_no_work_is_said_in_words(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    with database.write() as unit:
        after = close(unit, claim, status=RunStatus.NO_WORK, attempt=AttemptState.SUCCEEDED, reason="all 12 are done")
    assert after is not None
    assert (after.status, after.reason, after.error) == (RunStatus.NO_WORK, "all 12 are done", None)
