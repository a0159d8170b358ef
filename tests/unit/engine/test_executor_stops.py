"""What ends or outlives a stage from outside: a cancel, the deadline, an outage, a full house."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.executor import ChainSignal, Recorder
from moonmind.engine.forge_cooldown import FORGE_COOLDOWN
from moonmind.engine.lease import LeaseKeeper, StopRequested
from moonmind.engine.stage_context import StageContext
from moonmind.errors import ForgeLimited, VcsDenied, VcsUnreachable
from moonmind.ports.agent import JobState
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, Done, Outcome, RunStatus, Suspend, WaitingReason
from moonmind.runs.records import Run
from tests.support.databases import HOST, add_run, claim_run, everything, make_due, set_columns
from tests.support.engine_room import PLAN, EngineRoom, Outage, complaints
from tests.support.waiting import until


def with_agent(room: EngineRoom) -> tuple[Run, str]:
    """Bring a run to the point where it waits for its agent; returns it and the job's key."""
    run = room.reach(Stage.SUBMIT)
    key = f"{run.id}/submit-1"

    def work(context: StageContext) -> Outcome:
        assert context.services.take_slot()
        room.agent.at(key, JobState.RUNNING, thread_id="thread")
        return Suspend(WaitingReason.AGENT, checkpoint={"jobKey": key})

    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    room.worked.clear()
    return room.read(run), key


def slots(room: EngineRoom) -> int:
    with room.database.read() as unit:
        return unit.slots.used(HOST)


def end_of(room: EngineRoom, run: Run) -> tuple[RunStatus, str | None]:
    after = room.read(run)
    return after.status, after.error.code if after.error else None


# --- cancel and deadline -------------------------------------------------------------------------------------------


def test_a_cancelled_run_is_closed_once_its_agent_is_stopped(room: EngineRoom) -> None:
    run, key = with_agent(room)
    assert room.runs.cancel(run.id).status is RunStatus.RUNNING
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert room.agent.stopped == [key]
    assert end_of(room, run) == (RunStatus.CANCELLED, "cancelled")
    assert (room.worked, slots(room)) == ([], 0)
    with room.database.read() as unit:
        last = unit.attempts.latest(run.id)[Stage.SUBMIT.position]
    assert last.state is AttemptState.FAILED
    assert last.checkpoint is not None
    assert last.checkpoint["codexTaskId"] == "thread"
    assert room.read(run).codex_task_id == "thread"


def test_a_cancelled_run_says_what_there_is_of_it_outside(room: EngineRoom) -> None:
    stopped, published = room.reach(Stage.PUBLISH), room.reach(Stage.FINALIZE)

    def stop(_: StageContext) -> Outcome:
        room.runs.cancel(stopped.id)
        with room.database.write() as unit:
            unit.claims.heartbeat(stopped.id, room.read(stopped).fence, 60.0)
        raise StopRequested("stop", outside="The branch b is pushed.")

    room.does(Stage.PUBLISH, stop)
    room.execute(stopped, Stage.PUBLISH)
    set_columns(room.database, published.id, pull_request_url="https://forge/1", agent_host=HOST)
    room.runs.cancel(published.id)
    room.execute(published, Stage.FINALIZE)
    errors = [room.read(run).error for run in (stopped, published)]
    assert errors[1] is not None
    assert errors[1].message == "cancelled during finalize. What it published stays: https://forge/1"
    assert errors[0] is not None
    assert errors[0].message.endswith(" during publish. The branch b is pushed.")


UNKNOWN = "What an earlier try left at the forge could not be found out"


def left_by_a_lost_worker(room: EngineRoom, look: Callable[[StageContext], str]) -> str:
    """Lose a worker at publish, cancel the run, and let another worker end it; returns what the run says."""
    run = room.reach(Stage.PUBLISH)
    claim_run(room.database, run.id, Stage.PUBLISH)  # by a worker of which nothing more is heard
    with room.database.write() as unit:
        unit.rescues.release_all_leases()
    assert room.runs.cancel(run.id).status is RunStatus.RUNNING
    room.stages[Stage.PUBLISH] = replace(room.stages[Stage.PUBLISH], leftovers=look)
    room.execute(run, Stage.PUBLISH)
    assert room.worked[-1:] != [Stage.PUBLISH]
    ended = room.read(run)
    assert ended.status is RunStatus.CANCELLED
    assert ended.error is not None
    return ended.error.message


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("The branch b is pushed.", "The branch b is pushed."),
        ("", ""),
        (VcsUnreachable("git does not answer"), f"{UNKNOWN}: git does not answer"),
        (OSError("no space left"), f"{UNKNOWN}: an error nobody planned for (OSError)"),
        (ForgeLimited("slow down", seconds=60.0), f"{UNKNOWN}: slow down"),
    ],
)
def test_a_cancelled_run_says_what_a_lost_worker_left_outside(
    room: EngineRoom, found: str | Exception, words: str
) -> None:
    def look(_: StageContext) -> str:
        if isinstance(found, Exception):
            raise found
        return found

    message = left_by_a_lost_worker(room, look)
    assert message == ". ".join(filter(None, ("cancelled during publish", words)))
    with room.database.read() as unit:
        assert (unit.cooldowns.get(FORGE_COOLDOWN) is not None) is isinstance(found, ForgeLimited)


def test_nobody_asks_a_forge_that_takes_no_requests_what_was_left_there(room: EngineRoom) -> None:
    def look(_: StageContext) -> str:
        raise AssertionError("the cooldown is in force")

    with room.database.write() as unit:
        unit.cooldowns.set(FORGE_COOLDOWN, unit.now() + timedelta(minutes=1), "slow down")
    message = left_by_a_lost_worker(room, look)
    assert message == f"cancelled during publish. {UNKNOWN}: it takes no requests at the moment"


def test_nobody_looks_for_what_nobody_can_have_left(room: EngineRoom) -> None:
    def look(_: StageContext) -> str:
        raise AssertionError("nobody published")

    run = room.reach(Stage.PUBLISH)
    set_columns(room.database, run.id, agent_host=HOST)  # so that a claimer ends it
    room.runs.cancel(run.id)
    room.stages[Stage.PUBLISH] = replace(room.stages[Stage.PUBLISH], leftovers=look)
    room.execute(run, Stage.PUBLISH)
    assert end_of(room, run) == (RunStatus.CANCELLED, "cancelled")


def test_a_run_past_its_deadline_is_stopped_in_the_same_way(room: EngineRoom) -> None:
    run, key = with_agent(room)
    set_columns(room.database, run.id, deadline=db_now_plus(-1.0))
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    assert (room.agent.stopped, end_of(room, run), slots(room)) == ([key], (RunStatus.FAILED, "deadline"), 0)


def test_nothing_is_said_to_have_ended_while_its_agent_cannot_be_stopped(room: EngineRoom) -> None:
    run, key = with_agent(room)
    room.runs.cancel(run.id)
    room.agent.unstoppable = True
    with capture_logs() as logs:
        assert room.execute(run, Stage.SUBMIT) is ChainSignal.STOP
    held = room.read(run)
    assert (held.status, held.lease_owner is not None, slots(room)) == (RunStatus.RUNNING, True, 1)
    assert complaints(logs) == ["attempt.not_stopped"]
    # The lease runs out like a crashed worker's, and the next claim gets another chance.
    set_columns(room.database, run.id, lease_until=db_now_plus(-1.0))
    with room.database.write() as unit:
        unit.rescues.expire_leases(3)
    room.agent.unstoppable = False
    room.execute(run, Stage.SUBMIT)
    assert (end_of(room, run), room.agent.stopped) == ((RunStatus.CANCELLED, "cancelled"), [key])


@pytest.mark.parametrize(
    ("column", "end"),
    [
        ("cancel_requested_at", (RunStatus.CANCELLED, "cancelled")),
        ("deadline", (RunStatus.FAILED, "deadline")),
    ],
)
def test_a_heartbeat_tells_a_working_stage_to_stop(
    database: Database, tmp_path: Path, column: str, end: tuple[RunStatus, str]
) -> None:
    room = EngineRoom(database, tmp_path, heartbeat_seconds=0.02)
    run = room.reach(Stage.APPLY)

    def work(context: StageContext) -> Outcome:
        set_columns(database, run.id, **{column: db_now()})
        until(context.lease.check, "the heartbeat's word", pause=0.01)
        raise AssertionError("unreachable: it waits until the check raises")

    room.does(Stage.APPLY, work)
    assert room.execute(run, Stage.APPLY) is ChainSignal.STOP
    assert end_of(room, run) == end
    assert room.read(run).lease_owner is None
    room.keeper.close()


def test_what_a_stopped_stage_had_kept_is_there_for_a_retry(room: EngineRoom) -> None:
    run = room.reach(Stage.PUBLISH)
    room.reports(Stage.PUBLISH, Suspend(WaitingReason.RATE_LIMIT, checkpoint={"pushed": "abc"}))
    room.execute(run, Stage.PUBLISH)
    set_columns(room.database, run.id, deadline=db_now_plus(-1.0))
    room.execute(run, Stage.PUBLISH)
    assert end_of(room, run) == (RunStatus.FAILED, "deadline")
    with room.database.read() as unit:
        assert unit.attempts.latest(run.id)[Stage.PUBLISH.position].checkpoint == {"pushed": "abc"}


# --- outages -------------------------------------------------------------------------------------------------------


def test_a_short_outage_at_the_record_costs_nothing(room: EngineRoom) -> None:
    line = Outage(room.database, times=2)
    executor = room.build_executor(recorder=Recorder(line, room.stages, run_deadline_seconds=3600.0))
    run = add_run(room.database)
    assert executor.execute(run.id, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert line.refused == 2
    after = room.read(run)
    assert (after.stage, after.errors, after.crashes) == (Stage.SUBMIT, 0, 0)
    assert room.worked == [Stage.DISCOVER]


def test_an_outage_that_outlasts_the_lease_leaves_the_run_to_the_janitor(room: EngineRoom) -> None:
    line = Outage(room.database, times=1000)
    # Nobody renews in time, and the keeper's line is cut too.
    keeper = LeaseKeeper(line, lease_seconds=0.3, heartbeat_seconds=60.0)
    executor = room.build_executor(recorder=Recorder(line, room.stages, run_deadline_seconds=3600.0), keeper=keeper)
    run = add_run(room.database)
    with capture_logs() as logs:
        assert executor.execute(run.id, Stage.DISCOVER) is ChainSignal.STOP
    assert complaints(logs) == ["attempt.not_recorded"]
    assert room.read(run).stage is Stage.DISCOVER
    line.times = 0
    keeper.close()
    until(lambda: freed(room), "the lease's end")
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert room.read(run).crashes == 0


def freed(room: EngineRoom) -> list[Run]:
    with room.database.write() as unit:
        return unit.rescues.expire_leases(3)


# --- slots ---------------------------------------------------------------------------------------------------------


def waiting_for_a_slot(room: EngineRoom) -> UUID:
    second = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, Suspend(WaitingReason.CAPACITY, seconds=600.0))
    room.execute(second, Stage.SUBMIT)
    return second.id


def test_the_end_of_an_agent_dispatches_the_run_that_waits_for_its_slot(room: EngineRoom) -> None:
    run, _ = with_agent(room)
    second = waiting_for_a_slot(room)
    assert (slots(room), room.told.runs) == (1, [])
    make_due(room.database, run.id)
    room.reports(Stage.SUBMIT, Done(dict(PLAN)))
    assert room.execute(run, Stage.SUBMIT) is ChainSignal.CONTINUE
    assert (slots(room), room.told.runs) == (0, [second])


def test_a_slot_taken_by_the_very_claim_that_fails_is_given_back(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    second = waiting_for_a_slot(room)

    def work(context: StageContext) -> Outcome:
        assert context.services.take_slot()
        raise VcsDenied("the token was refused")

    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    assert end_of(room, run) == (RunStatus.FAILED, "git_denied")
    assert (slots(room), room.told.runs) == (0, [second])


def test_a_run_without_a_slot_frees_nobody_elses(room: EngineRoom) -> None:
    with_agent(room)
    waiting_for_a_slot(room)
    third = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, VcsDenied("the token was refused"))
    before = everything(room.database)["agent_slot"]
    room.execute(third, Stage.SUBMIT)
    assert (everything(room.database)["agent_slot"], room.told.runs) == (before, [])
