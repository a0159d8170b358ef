"""A forge that asks to wait is left alone by every run."""

from datetime import timedelta

from moonmind.engine import forge_cooldown
from moonmind.engine.executor import ChainSignal
from moonmind.errors import ForgeLimited
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus, Suspend, WaitingReason
from tests.support.databases import add_run, claim_run, event_types, make_due, reach
from tests.support.engine_room import SECRET, EngineRoom

LIMITED = ForgeLimited(f"wait, says {SECRET}", seconds=600)


def test_a_limited_run_waits_costs_no_attempt_and_closes_the_gate(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, LIMITED)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.STOP
    after = room.read(run)
    assert (after.status, after.waiting_reason, after.errors) == (RunStatus.RUNNING, "rate_limit", 0)
    with room.database.read() as unit:
        now = unit.now()
        gate = unit.gates.get(forge_cooldown.FORGE_GATE)
        assert unit.attempts.latest(run.id)[0].number == 1
    assert gate is not None
    assert after.not_before == gate.until
    assert timedelta(seconds=590) < gate.until - now <= timedelta(seconds=610)
    assert SECRET not in gate.reason
    assert event_types(room.database, run.id)[-1] == "attempt.parked"


def test_it_goes_on_with_the_same_attempt_when_the_gate_opens(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.reports(Stage.DISCOVER, LIMITED)
    room.execute(run, Stage.DISCOVER)
    make_due(room.database, run.id)
    del room.stages[Stage.DISCOVER]
    room.stages[Stage.DISCOVER] = room._plainly(Stage.DISCOVER)
    assert room.execute(run, Stage.DISCOVER) is ChainSignal.CONTINUE
    assert room.read(run).stage is Stage.SUBMIT


def test_other_runs_are_held_back_until_the_gate_opens(room: EngineRoom) -> None:
    claim = claim_run(room.database, reach(room.database, Stage.PUBLISH).id, Stage.PUBLISH)
    context = room.context(claim)
    assert forge_cooldown.held_back(context) is None
    parked = forge_cooldown.parked(context, LIMITED)
    held = forge_cooldown.held_back(context)
    assert isinstance(held, Suspend)
    assert (held.reason, held.until) == (WaitingReason.RATE_LIMIT, parked.until)
    with room.database.write() as unit:
        unit.gates.close(forge_cooldown.FORGE_GATE, unit.now(), "")
    assert forge_cooldown.held_back(context) is None


def test_a_gate_that_is_closed_for_longer_stays_so(room: EngineRoom) -> None:
    claim = claim_run(room.database, reach(room.database, Stage.PUBLISH).id, Stage.PUBLISH)
    context = room.context(claim)
    longer = forge_cooldown.parked(context, LIMITED).until
    assert longer is not None
    assert forge_cooldown.parked(context, ForgeLimited("wait", seconds=5)).until == longer
    with room.database.read() as unit:
        gate = unit.gates.get(forge_cooldown.FORGE_GATE)
        assert gate is not None
        assert gate.until == longer > unit.now()
