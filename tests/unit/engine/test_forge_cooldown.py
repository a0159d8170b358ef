"""A forge that asks to wait is left alone by every run."""

from datetime import UTC, datetime, timedelta

import pytest

from moonmind.engine import forge_cooldown
from moonmind.engine.executor import ChainSignal
from moonmind.errors import ForgeLimited
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus, Suspend, WaitingReason
from tests.support.databases import add_run, claim_run, event_types, make_due, reach
from tests.support.engine_room import SECRET, EngineRoom

LIMITED = ForgeLimited(f"wait, says {SECRET}", seconds=600)


def test_a_limited_run_waits_costs_no_attempt_and_begins_a_cooldown(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, LIMITED)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.STOP
    after = room.read(run)
    assert (after.status, after.waiting_reason, after.errors) == (RunStatus.RUNNING, "rate_limit", 0)
    with room.database.read() as unit:
        now = unit.now()
        cooldown = unit.cooldowns.get(forge_cooldown.FORGE_COOLDOWN)
        assert unit.attempts.latest(run.id)[0].number == 1
    assert cooldown is not None
    assert after.not_before == cooldown.until
    assert timedelta(seconds=590) < cooldown.until - now <= timedelta(seconds=610)
    assert SECRET not in cooldown.reason
    assert event_types(room.database, run.id)[-1] == "attempt.parked"


def test_it_goes_on_with_the_same_attempt_after_the_cooldown(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, LIMITED)
    room.execute(run, Stage.DISCOVER)
    make_due(room.database, run.id)
    del room.stages[Stage.DISCOVER]
    room.stages[Stage.DISCOVER] = room._plainly(Stage.DISCOVER)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert room.read(run).stage is Stage.SUBMIT


def test_other_runs_are_held_back_until_the_cooldown_ends(room: EngineRoom) -> None:
    claim = claim_run(room.database, reach(room.database, Stage.PUBLISH).id, Stage.PUBLISH)
    context = room.context(claim)
    assert forge_cooldown.held_back(context) is None
    suspended = forge_cooldown.suspend(context, LIMITED)
    held = forge_cooldown.held_back(context)
    assert isinstance(held, Suspend)
    assert (held.reason, held.until) == (WaitingReason.RATE_LIMIT, suspended.until)
    with room.database.write() as unit:
        unit.cooldowns.set(forge_cooldown.FORGE_COOLDOWN, unit.now(), "")
    assert forge_cooldown.held_back(context) is None


def test_a_longer_cooldown_is_not_shortened(room: EngineRoom) -> None:
    claim = claim_run(room.database, reach(room.database, Stage.PUBLISH).id, Stage.PUBLISH)
    context = room.context(claim)
    longer = forge_cooldown.suspend(context, LIMITED).until
    assert longer is not None
    assert forge_cooldown.suspend(context, ForgeLimited("wait", seconds=5)).until == longer
    with room.database.read() as unit:
        cooldown = unit.cooldowns.get(forge_cooldown.FORGE_COOLDOWN)
        assert cooldown is not None
        assert cooldown.until == longer > unit.now()


@pytest.mark.parametrize(
    "until",
    ["2026-11-28 23:59:59", "2026-11-29 00:00:07", "2027-01-01 06:30:00"],
)
def test_the_end_of_a_cooldown_is_said_with_its_day(until: str) -> None:
    wait = Suspend(WaitingReason.RATE_LIMIT, until=datetime.fromisoformat(until).replace(tzinfo=UTC))
    assert forge_cooldown.unavailable(wait.until).message == f"the forge asked to wait until {until} UTC"
