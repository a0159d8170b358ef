"""A submit attempt that goes wrong: its slot, its decision, and no agent that works on for nobody."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now_plus
from moonmind.engine.executor import ChainSignal
from moonmind.engine.stage_context import StageContext
from moonmind.errors import AgentError, VcsDenied, VcsError
from moonmind.ports.agent import JobState
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Outcome, RunStatus, Suspend, WaitingReason
from moonmind.runs.records import Run
from tests.support.databases import HOST, event_types, everything, make_due, set_columns
from tests.support.engine_room import EngineRoom, complaints


def key_of(run: Run) -> str:
    return f"{run.id}/submit-1"


def slots(room: EngineRoom) -> int:
    with room.database.read() as unit:
        return unit.slots.used(HOST)


def starts_and_raises(room: EngineRoom, run: Run, error: Exception) -> None:
    """Let submit start its agent, and fail before it could suspend."""

    def work(context: StageContext) -> Outcome:
        assert context.services.take_slot()
        room.agent.at(key_of(run), JobState.RUNNING, thread_id="thread")
        raise error

    room.does(Stage.SUBMIT, work)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(VcsDenied("the token was refused"), RunStatus.FAILED, id="for good"),
        pytest.param(VcsError("could not resolve host"), RunStatus.RUNNING, id="tried again"),
        pytest.param(ZeroDivisionError(), RunStatus.FAILED, id="nobody planned for it"),
    ],
)
def test_an_agent_is_stopped_before_its_failed_attempt_is_written(
    room: EngineRoom, error: Exception, status: RunStatus
) -> None:
    run = room.reach(Stage.SUBMIT)
    starts_and_raises(room, run, error)
    with capture_logs():
        assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert room.agent.stopped == [key_of(run)]
    assert (room.read(run).status, slots(room)) == (status, 0)


def test_a_stage_that_broke_keeps_what_its_agent_had_said(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    starts_and_raises(room, run, ZeroDivisionError())
    with capture_logs():
        room.execute(run, Stage.SUBMIT)
    assert room.read(run).codex_task_id == "thread"


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), ValueError("null byte"), VcsError("disk full")])
def test_a_run_ends_as_it_was_told_to_whatever_keeping_its_work_raises(room: EngineRoom, error: Exception) -> None:
    def broken(context: StageContext) -> Mapping[str, Any]:
        raise error

    room.stages[Stage.SUBMIT] = replace(room.stages[Stage.SUBMIT], abandon=broken)
    run = room.reach(Stage.SUBMIT)
    room.agent.at(key_of(run), JobState.RUNNING, thread_id="thread")
    set_columns(room.database, run.id, agent_host=HOST)  # so that a claimer ends it
    room.runs.cancel(run.id)
    with capture_logs():
        room.execute(run, Stage.SUBMIT)
    after = room.read(run)
    assert (room.agent.stopped, after.status) == ([key_of(run)], RunStatus.CANCELLED)
    with room.database.read() as unit:
        last = unit.attempts.latest(run.id)[Stage.SUBMIT.position]
    assert "could not be kept" in (last.checkpoint or {})["notKept"]


def test_nothing_is_written_while_nobody_knows_whether_the_agent_works(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    key = key_of(run)

    def work(context: StageContext) -> Outcome:
        if context.agent.poll(key).state is JobState.ABSENT:
            assert context.services.take_slot()
            room.agent.at(key, JobState.RUNNING)
        return Suspend(WaitingReason.AGENT, checkpoint={"jobKey": key})

    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    make_due(room.database, run.id)
    room.agent.unreadable.add(key)  # as when the process has no file descriptor left for a moment
    with capture_logs() as logs:
        assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert complaints(logs, "code") == [("attempt.failed", AgentError.code), ("attempt.not_stopped", AgentError.code)]
    held = room.read(run)
    assert (held.status, held.lease_owner is not None, slots(room)) == (RunStatus.RUNNING, True, 1)
    # The lease runs out, and the next claim finds the agent at work as if nothing had been.
    room.agent.unreadable.clear()
    set_columns(room.database, run.id, lease_until=db_now_plus(-1.0))
    with room.database.write() as unit:
        unit.rescues.expire_leases(3)
    room.execute(run, Stage.SUBMIT)
    after = room.read(run)
    assert (after.waiting_reason, after.stage, room.agent.stopped) == (WaitingReason.AGENT, Stage.SUBMIT, [])


def test_a_run_that_gives_its_slot_back_because_it_cannot_be_used_does_not_wake_itself(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)

    def work(context: StageContext) -> Outcome:
        room.worked.append(Stage.SUBMIT)
        assert context.services.take_slot()
        return Suspend(WaitingReason.CAPACITY, seconds=60.0)

    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    happened = event_types(room.database, run.id)
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert room.worked == [Stage.SUBMIT]
    assert (slots(room), room.told.runs) == (0, [])
    assert event_types(room.database, run.id) == happened


def test_what_cannot_be_written_ends_the_run_with_a_reason(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    # With a run's deadline on top, this is after the end of all dates.
    room.reports(Stage.SUBMIT, Suspend(WaitingReason.QUOTA, until=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)))
    with capture_logs() as logs:
        assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    after = room.read(run)
    assert after.error is not None
    assert (after.status, after.error.code, after.lease_owner) == (RunStatus.FAILED, "unexpected", None)
    assert "OverflowError" in after.error.message
    assert "Traceback" not in str(everything(room.database))
    assert complaints(logs) == ["attempt.not_recorded"]
