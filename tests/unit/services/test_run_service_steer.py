"""Retry and cancel: what an operator may ask, and what is probed first."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from moonmind.engine.dispatch_loop import LeaveDue
from moonmind.errors import CredentialInvalid, ErrorInfo, NoProgress, NotCancellable, NotFound, NotRetryable, RunActive
from moonmind.ports.check import Check, CheckStatus
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Failed, NothingToDo, RetryMode, RunStatus, Suspend, WaitingReason
from moonmind.runs.repetition import RetryHelps
from moonmind.services.run_service import RunService
from moonmind.wire import CreateRun, RetryRun
from tests.support.databases import (
    add_run,
    at_once,
    claim_run,
    due,
    event_types,
    everything,
    reach,
    suspend,
)
from tests.support.engine_room import EngineRoom, failed

PATCH = "patches/agent-1.diff"
RESTART = RetryRun(mode=RetryMode.RESTART_FROM_DISCOVERY)


def failed_at(room: EngineRoom, stage: Stage, **values: Any) -> UUID:
    run = room.reach(stage, **values)
    room.reports(stage, Failed(ErrorInfo("git_failed", "why"), checkpoint={"codexTaskId": "thread"}))
    room.execute(run, stage)
    assert room.read(run).status is RunStatus.FAILED
    room.told.runs.clear()
    return run.id


# --- retry ---------------------------------------------------------------------------------------------------------


def test_a_retry_resumes_the_failed_stage_with_what_was_kept(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.APPLY)
    before = room.read(run_id)
    view = room.runs.retry(run_id, RetryRun(notes="look again"))
    run = room.read(run_id)
    assert (view.status, run.stage, run.notes) == (RunStatus.RETRYING, Stage.APPLY, "look again")
    assert view.celery_chain_id == run.chain_id != before.chain_id
    assert view.tasks is not None
    assert [task.state for task in view.tasks[:5]] == ["succeeded", "succeeded", "retrying", "waiting", "waiting"]
    assert room.told.runs == [run_id]
    assert room.context(claim_run(room.database, run_id, Stage.APPLY)).checkpoint == {"codexTaskId": "thread"}


def test_a_restart_begins_at_discover(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.APPLY)
    room.runs.retry(run_id, RESTART)
    assert room.read(run_id).stage is Stage.DISCOVER


@pytest.mark.parametrize("body", [RESTART, RetryRun(notes="look again")])
def test_a_retry_keeps_what_was_selected(room: EngineRoom, body: RetryRun) -> None:
    chosen = {"tasks": ["T001-T005"], "skip": ["T003"]}
    view = room.runs.retry(failed_at(room, Stage.APPLY, selection=chosen), body)
    assert view.select is not None
    assert (view.select.tasks, view.select.skip) == (["T001-T005"], ["T003"])
    assert room.context(claim_run(room.database, view.id, room.read(view.id).stage)).run.selection == chosen


@pytest.mark.parametrize(
    ("stage", "detail", "notes", "refusal"),
    [
        (Stage.APPLY, RetryHelps.WITH_NOTES, None, "without notes that differ from the run's would end the same way"),
        (
            Stage.APPLY,
            RetryHelps.WITH_NOTES,
            "as before",
            "without notes that differ from the run's would end the same",
        ),
        (Stage.APPLY, RetryHelps.WITH_NOTES, "Write it whole.", None),
        (Stage.FINALIZE, RetryHelps.NEVER, None, "is published and judged"),
        (Stage.FINALIZE, RetryHelps.NEVER, "Write it whole.", "is published and judged"),
        (Stage.SUBMIT, None, None, None),
    ],
)
def test_a_retry_that_would_repeat_the_end_is_refused_with_what_helps(
    room: EngineRoom, stage: Stage, detail: RetryHelps | None, notes: str | None, refusal: str | None
) -> None:
    run = room.reach(stage, notes="as before")
    room.store.put(run.id, PATCH, b"a patch")
    error = NoProgress("nothing was ticked", remediation="Tick it.", **(detail.details(PATCH) if detail else {}))
    room.reports(stage, Failed(error.info()))
    room.execute(run, stage)
    body = RetryRun(notes=notes) if notes is not None else RetryRun()
    if refusal is not None:
        before = everything(room.database)
        with pytest.raises(NotRetryable, match=refusal) as refused:
            room.runs.retry(run.id, body)
        assert refused.value.advice == "Tick it."
        assert everything(room.database) == before
        body = RESTART
    assert room.runs.retry(run.id, body).status is RunStatus.RETRYING


def test_a_retry_is_not_refused_once_the_patch_that_would_be_judged_again_is_gone(room: EngineRoom) -> None:
    run = room.reach(Stage.APPLY)
    room.reports(Stage.APPLY, Failed(NoProgress("nothing was ticked", **RetryHelps.WITH_NOTES.details(PATCH)).info()))
    room.execute(run, Stage.APPLY)
    assert room.runs.retry(run.id, RetryRun()).status is RunStatus.RETRYING


def test_a_run_that_found_no_work_can_only_restart(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, NothingToDo("all boxes are ticked"))
    room.execute(run, Stage.DISCOVER)
    with pytest.raises(NotRetryable, match="only be retried from discovery"):
        room.runs.retry(run.id, RetryRun())
    assert room.runs.retry(run.id, RESTART).status is RunStatus.RETRYING


@pytest.mark.parametrize("mode", list(RetryMode))
def test_a_run_that_is_active_or_succeeded_is_not_retried(room: EngineRoom, mode: RetryMode) -> None:
    active, succeeded = add_run(room.database), room.reach(Stage.FINALIZE)
    room.execute(succeeded, Stage.FINALIZE)
    for run, status in ((active, "pending"), (succeeded, "succeeded")):
        with pytest.raises(NotRetryable) as refused:
            room.runs.retry(run.id, RetryRun(mode=mode))
        assert refused.value.details == {"status": status}
    with pytest.raises(NotFound):
        room.runs.retry(uuid4(), RetryRun(mode=mode))


def test_of_two_retries_at_once_one_is_accepted_and_one_is_a_conflict(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.SUBMIT)
    found = at_once(2, lambda _: room.runs.retry(run_id, RetryRun()))
    assert sorted(type(one).__name__ for one in found) == ["NotRetryable", "SpecWorkflowRun"]
    (refused,) = [one for one in found if isinstance(one, NotRetryable)]
    assert refused.details == {"status": "retrying"}
    assert room.told.runs == [run_id]
    assert event_types(room.database, run_id).count("run.retried") == 1


def test_a_retry_whose_feature_another_run_has_taken_since_is_a_conflict(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.SUBMIT, repository="octo/demo", requested_key="1")
    busy = room.runs.create(CreateRun(repository="octo/demo", feature_key="1"))
    room.told.runs.clear()
    before = everything(room.database)
    with pytest.raises(RunActive, match=str(busy.id)):
        room.runs.retry(run_id, RetryRun())
    assert (everything(room.database), room.told.runs) == (before, [])


def test_without_a_dispatch_loop_a_retry_is_left_to_the_next_sweep_of_another_process(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.SUBMIT)
    service = RunService(
        room.database, room.store, LeaveDue(room.database), room.preflight, room.stages, run_deadline_seconds=60.0
    )
    service.retry(run_id, RetryRun())
    assert due(room.database) == [run_id]


# --- what is probed before a retry ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "mode", "agent", "forge"),
    [
        (Stage.SUBMIT, RetryMode.RESUME_FAILED_TASK, True, True),
        (Stage.APPLY, RetryMode.RESUME_FAILED_TASK, False, True),
        (Stage.PUBLISH, RetryMode.RESUME_FAILED_TASK, False, True),
        (Stage.FINALIZE, RetryMode.RESUME_FAILED_TASK, False, False),
        (Stage.FINALIZE, RetryMode.RESTART_FROM_DISCOVERY, True, True),
    ],
)
def test_a_retry_that_is_known_to_fail_again_is_refused(
    room: EngineRoom, stage: Stage, mode: RetryMode, agent: bool, forge: bool
) -> None:
    run_id = failed_at(room, stage)
    before = everything(room.database)
    good = (room.agent.checks, room.forge.checks)
    bad = failed("codex.login", "the login has expired", "Run `codex login`.")
    for needed, checks in ((agent, ((bad,), good[1])), (forge, (good[0], (bad,)))):
        room.agent.checks, room.forge.checks = checks
        if needed:
            with pytest.raises(CredentialInvalid) as refused:
                room.runs.retry(run_id, RetryRun(mode=mode))
            assert refused.value.http_status == 409
            assert refused.value.message == "retrying would fail again: the login has expired"
            assert (refused.value.advice, refused.value.details) == ("Run `codex login`.", {"check": "codex.login"})
            assert everything(room.database) == before
    if not (agent or forge):
        assert room.runs.retry(run_id, RetryRun(mode=mode)).status is RunStatus.RETRYING


def test_a_service_that_cannot_be_probed_now_does_not_stop_a_retry(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.SUBMIT)
    unknown = Check("forge.token", CheckStatus.UNKNOWN, "the forge did not answer")
    room.agent.checks = room.forge.checks = (unknown,)
    assert room.runs.retry(run_id, RetryRun()).status is RunStatus.RETRYING


# --- cancel --------------------------------------------------------------------------------------------------------


def test_a_run_that_nobody_holds_is_cancelled_at_once(room: EngineRoom) -> None:
    run = add_run(room.database)
    view = room.runs.cancel(run.id)
    assert (view.status, view.completed_at is not None) == (RunStatus.CANCELLED, True)
    assert room.told.runs == []


def test_cancelling_twice_is_cancelling_once(room: EngineRoom) -> None:
    run = add_run(room.database)
    first = room.runs.cancel(run.id)
    before = everything(room.database)
    assert room.runs.cancel(run.id) == first
    assert everything(room.database) == before


def test_a_run_at_work_is_asked_to_stop_and_stays_what_it_is(room: EngineRoom) -> None:
    run = add_run(room.database)
    claim_run(room.database, run.id)
    view = room.runs.cancel(run.id)
    assert (view.status, view.cancel_requested_at is not None) == (RunStatus.RUNNING, True)
    assert room.read(run).lease_owner is not None


def test_a_run_that_waits_for_its_agent_is_dispatched_so_that_a_worker_stops_it(room: EngineRoom) -> None:
    run = suspend(room.database, reach(room.database, Stage.SUBMIT))
    view = room.runs.cancel(run.id)
    assert view.status is RunStatus.RUNNING
    assert (room.told.runs, due(room.database)) == ([run.id], [run.id])


def test_a_run_that_waits_for_anything_else_is_cancelled_at_once(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, Suspend(WaitingReason.QUOTA, seconds=600.0))
    room.execute(run, Stage.SUBMIT)
    view = room.runs.cancel(run.id)
    assert (view.status, view.waiting, room.told.runs) == (RunStatus.CANCELLED, None, [])


def test_a_run_that_has_ended_is_not_cancelled(room: EngineRoom) -> None:
    run_id = failed_at(room, Stage.SUBMIT)
    before = everything(room.database)
    with pytest.raises(NotCancellable) as refused:
        room.runs.cancel(run_id)
    assert refused.value.details == {"status": "failed"}
    assert everything(room.database) == before


def test_a_cancelled_run_can_be_retried_and_is_not_cancelled_any_more(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.runs.cancel(run.id)
    room.runs.retry(run.id, RetryRun())
    assert not claim_run(room.database, run.id).cancel_requested
