"""Claim, work, record: what becomes of a message."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.executor import ChainSignal
from moonmind.engine.lease import LeaseLost
from moonmind.engine.stage_context import StageContext
from moonmind.errors import ErrorInfo, Unavailable, VcsDenied, VcsError
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import (
    AttemptState,
    Done,
    Failed,
    NothingToDo,
    Outcome,
    Redo,
    RunStatus,
    Suspend,
    WaitingReason,
)
from moonmind.runs.records import Attempt
from tests.support.databases import HOST, add_run, claim_run, due, event_types, everything, make_due, set_columns
from tests.support.engine_room import PLAN, EngineRoom, complaints

ENDED = {"status": RunStatus.FAILED, "dispatch_after": None, "completed_at": db_now()}
OTHER_HOST = UUID("00000000-0000-4000-8000-000000000002")


def latest(room: EngineRoom, run_id: UUID, stage: Stage) -> Attempt:
    with room.database.read() as unit:
        return unit.attempts.latest(run_id)[stage.position]


def test_five_messages_in_order_take_a_run_to_its_end(room: EngineRoom) -> None:
    run = add_run(room.database)
    chain_id = uuid4()
    assert [room.execute(run, stage, chain_id) for stage in STAGES] == [ChainSignal.CONTINUE] * 5
    after = room.read(run)
    assert (after.status, after.lease_owner, after.chain_id) == (RunStatus.SUCCEEDED, None, chain_id)
    assert room.worked == list(STAGES)
    with room.database.read() as unit:
        outputs = unit.attempts.results(run.id)
    assert outputs[Stage.DISCOVER] == PLAN
    assert outputs[Stage.FINALIZE] == {"v": 1, "from": "finalize"}
    assert room.told.runs == []


def test_a_stage_reads_what_earlier_stages_recorded(room: EngineRoom) -> None:
    run = room.reach(Stage.PUBLISH)
    seen: list[StageContext] = []

    def work(context: StageContext) -> Outcome:
        seen.append(context)
        return Done()

    room.does(Stage.PUBLISH, work)
    room.execute(run, Stage.PUBLISH)
    (context,) = seen
    assert context.results == {
        Stage.DISCOVER: PLAN,
        Stage.SUBMIT: {"v": 1, "from": "submit"},
        Stage.APPLY: {"v": 1, "from": "apply"},
    }
    assert context.run.lease_owner is not None
    assert context.run.lease_owner.startswith("a-host:")


@pytest.mark.parametrize(
    ("outcome", "signal", "status", "waiting", "attempt", "event"),
    [
        (
            Done({"featureKey": "specs/1"}),
            ChainSignal.CONTINUE,
            RunStatus.RUNNING,
            None,
            "succeeded",
            "attempt.succeeded",
        ),
        (NothingToDo("all boxes are ticked"), ChainSignal.STOP, RunStatus.NO_WORK, None, "succeeded", "run.closed"),
        (
            Suspend(WaitingReason.RATE_LIMIT),
            ChainSignal.STOP,
            RunStatus.RUNNING,
            "rate_limit",
            "started",
            "attempt.parked",
        ),
        (
            Failed(ErrorInfo("git_failed", "no network"), transient=True),
            ChainSignal.STOP,
            RunStatus.RUNNING,
            "backoff",
            "retrying",
            "attempt.retried",
        ),
        (Failed(ErrorInfo("no", "never")), ChainSignal.STOP, RunStatus.FAILED, None, "failed", "run.closed"),
    ],
)
def test_what_a_stage_reports_is_what_the_row_says(
    room: EngineRoom,
    outcome: Outcome,
    signal: ChainSignal,
    status: RunStatus,
    waiting: str | None,
    attempt: str,
    event: str,
) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, outcome)
    assert room.execute(run, Stage.DISCOVER) is signal
    after = room.read(run)
    assert (after.status, after.waiting_reason, after.lease_owner) == (status, waiting, None)
    assert latest(room, run.id, Stage.DISCOVER).state == attempt
    assert event_types(room.database, run.id)[-2:] == ["attempt.started", event]


def test_an_error_that_passes_is_tried_again_and_one_that_does_not_ends_the_run(room: EngineRoom) -> None:
    passing, lasting = add_run(room.database), add_run(room.database)
    room.reports(Stage.DISCOVER, VcsError("could not resolve host"))
    room.execute(passing, Stage.DISCOVER)
    room.reports(Stage.DISCOVER, VcsDenied("the token was refused"))
    room.execute(lasting, Stage.DISCOVER)
    assert (room.read(passing).status, room.read(passing).errors) == (RunStatus.RUNNING, 1)
    ended = room.read(lasting)
    assert ended.status is RunStatus.FAILED
    assert ended.error == VcsDenied("the token was refused").info()


def test_the_sixth_passing_error_of_a_stage_ends_the_run(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, VcsError("could not resolve host"))
    for errors in range(1, 6):
        assert room.execute(run, Stage.DISCOVER) is ChainSignal.STOP
        assert room.read(run).errors == errors
        make_due(room.database, run.id)
    room.execute(run, Stage.DISCOVER)
    assert room.read(run).status is RunStatus.FAILED
    assert len(room.worked) == 6


def test_an_exception_nobody_planned_for_ends_the_run_and_stays_out_of_the_row(room: EngineRoom) -> None:
    run = room.reach(Stage.APPLY)

    def work(context: StageContext) -> Outcome:
        raise ZeroDivisionError("in /root/secret/place.py")

    room.does(Stage.APPLY, work)
    with capture_logs() as logs:
        assert room.execute(run, Stage.APPLY) is ChainSignal.STOP
    after = room.read(run)
    assert after.status is RunStatus.FAILED
    assert after.error is not None
    assert after.error.code == "unexpected"
    assert "ZeroDivisionError" in after.error.message
    kept = str(everything(room.database))
    assert "place.py" not in kept
    assert "Traceback" not in kept
    assert complaints(logs) == ["attempt.broke"]


def test_going_back_dispatches_the_run_and_tells_the_earlier_stage_why(room: EngineRoom) -> None:
    run = room.reach(Stage.APPLY)
    room.reports(Stage.APPLY, Redo(Stage.SUBMIT, "the tests fail", {"codexTaskId": "thread"}))
    assert room.execute(run, Stage.APPLY) is ChainSignal.STOP
    assert room.told.runs == [run.id]
    after = room.read(run)
    assert (after.stage, after.rounds, due(room.database)) == (Stage.SUBMIT, 1, [])
    claim = claim_run(room.database, run.id, Stage.SUBMIT)
    context = room.context(claim)
    assert (context.note, context.checkpoint, context.attempt.number) == (
        "the tests fail",
        {"codexTaskId": "thread"},
        2,
    )


def test_a_world_that_cannot_be_built_is_a_passing_error(room: EngineRoom) -> None:
    class Broken:
        def make(self, claim: object, lease: object, outputs: object) -> StageContext:
            raise Unavailable("The database does not answer")

    run = add_run(room.database)
    assert room.build_executor(contexts=Broken()).execute(run.id, Stage.DISCOVER) is ChainSignal.STOP
    assert (room.worked, room.read(run).waiting_reason) == ([], WaitingReason.BACKOFF)


# --- messages that come at the wrong time --------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.DISCOVER, Stage.SUBMIT])
def test_a_message_for_a_stage_that_is_past_goes_on_and_changes_nothing(room: EngineRoom, stage: Stage) -> None:
    run = room.reach(Stage.APPLY)
    before = everything(room.database)
    assert room.execute(run, stage) is ChainSignal.CONTINUE
    assert (room.worked, everything(room.database)) == ([], before)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"stage": Stage.DISCOVER}, id="a stage whose turn has not come"),
        pytest.param({"not_before": db_now_plus(60.0)}, id="a run that is not due"),
        pytest.param(ENDED, id="a run that has ended"),
        pytest.param({**ENDED, "stage": Stage.APPLY}, id="a past stage of one"),
    ],
)
def test_a_message_out_of_turn_is_dropped_with_its_chain(room: EngineRoom, columns: dict[str, Any]) -> None:
    run = room.reach(Stage.SUBMIT)
    set_columns(room.database, run.id, **columns)
    before = everything(room.database)
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert (room.worked, everything(room.database)) == ([], before)


def test_a_message_for_another_host_is_dropped(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    with room.database.write() as unit:
        unit.hosts.register(OTHER_HOST, "another")
    set_columns(room.database, run.id, agent_host=OTHER_HOST)
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    set_columns(room.database, run.id, agent_host=HOST)
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.CONTINUE


def test_a_message_for_no_run_is_dropped(room: EngineRoom) -> None:
    assert room.executor.execute(uuid4(), Stage.DISCOVER) is ChainSignal.STOP


def test_the_second_of_two_messages_is_dropped_while_the_first_is_worked_on(room: EngineRoom) -> None:
    run = add_run(room.database)
    second: list[ChainSignal] = []

    def work(context: StageContext) -> Outcome:
        second.append(room.execute(run, Stage.DISCOVER))
        return Done(dict(PLAN))

    room.does(Stage.DISCOVER, work)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert second == [ChainSignal.STOP]
    assert room.read(run).fence == 1


# --- leases --------------------------------------------------------------------------------------------------------


def test_a_stage_that_lost_its_lease_writes_nothing(room: EngineRoom) -> None:
    run = add_run(room.database)
    before: list[object] = []

    def work(context: StageContext) -> Outcome:
        before.append(everything(room.database))
        raise LeaseLost("another worker has it")

    room.does(Stage.DISCOVER, work)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.STOP
    assert [everything(room.database)] == before


@pytest.mark.parametrize(
    "outcome",
    [
        Done(),
        Suspend(WaitingReason.CAPACITY),
        Failed(ErrorInfo("e", "e"), transient=True),
        Failed(ErrorInfo("e", "e")),
        NothingToDo("none"),
        Redo(Stage.DISCOVER, "again"),
    ],
)
def test_whatever_a_late_stage_reports_the_new_holder_is_not_disturbed(room: EngineRoom, outcome: Outcome) -> None:
    run = room.reach(Stage.SUBMIT)
    before: list[object] = []

    def work(context: StageContext) -> Outcome:
        set_columns(room.database, run.id, lease_until=db_now_plus(-1.0))
        with room.database.write() as unit:
            assert len(unit.rescues.expire_leases(3)) == 1
        claim_run(room.database, run.id, Stage.SUBMIT)
        before.append(everything(room.database))
        return outcome

    room.does(Stage.SUBMIT, work)
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert [everything(room.database)] == before
    assert (room.read(run).fence, room.told.runs) == (3, [])


def test_a_feature_that_another_run_holds_ends_the_run_that_discovered_it_last(
    database: Database, room: EngineRoom
) -> None:
    first = add_run(database, repository="octo/demo", requested_key="1")
    second = add_run(database, repository="octo/demo", requested_key="")
    room.reports(Stage.DISCOVER, Done({**PLAN, "featureKey": "specs/001-demo"}))
    assert room.execute(first, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert room.execute(second, Stage.DISCOVER) is ChainSignal.STOP
    ended = room.read(second)
    assert ended.status is RunStatus.FAILED
    assert ended.error is not None
    assert (ended.error.code, ended.error.details) == ("feature_busy", {"runId": str(first.id)})
    assert latest(room, second.id, Stage.DISCOVER).state is AttemptState.FAILED
