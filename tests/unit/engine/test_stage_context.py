"""A claim's world, put together."""

from datetime import UTC, datetime

import pytest

from moonmind.engine.stage_context import StageContext
from moonmind.errors import Unexpected
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Suspend, WaitingReason
from moonmind.stages.kit.stage_results import SubmitResult
from tests.support.databases import add_run, claim_run, make_due
from tests.support.engine_room import PLAN, EngineRoom


def test_a_context_has_the_claim_its_inputs_the_ports_and_the_limits(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    claim = claim_run(room.database, run.id, Stage.SUBMIT)
    context = room.context(claim)
    assert (context.run, context.attempt) == (claim.run, claim.attempt)
    assert (context.results, context.checkpoint, context.note) == ({Stage.DISCOVER: PLAN}, {}, None)
    assert (context.agent, context.forge, context.vcs, context.redactor) == (
        room.agent,
        room.forge,
        room.vcs,
        room.redactor,
    )
    assert (context.limits.stall_seconds, context.relook_seconds) == (7.0, 11.0)


def test_what_an_attempt_kept_when_it_suspended_is_there_when_it_goes_on(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, Suspend(WaitingReason.CAPACITY, checkpoint={"codexTaskId": "thread"}))
    room.execute(run, Stage.SUBMIT)
    make_due(room.database, run.id)
    claim = claim_run(room.database, run.id, Stage.SUBMIT)
    assert room.context(claim).checkpoint == {"codexTaskId": "thread"}


def test_artifacts_and_stage_services_write_for_this_claim_alone(room: EngineRoom) -> None:
    first, second = room.reach(Stage.SUBMIT), add_run(room.database)
    seen: list[StageContext] = []

    def work(context: StageContext) -> Done:
        seen.append(context)
        context.artifacts.save("codex_patch", "a.diff", b"x", "text/x-diff")
        assert context.services.take_slot()
        context.services.set_cooldown("codex", datetime(2031, 1, 1, tzinfo=UTC), "quota")
        return Done()

    room.does(Stage.SUBMIT, work)
    room.execute(first, Stage.SUBMIT)
    with room.database.read() as unit:
        assert [artifact.path for artifact in unit.artifacts.list(first.id)] == ["a.diff"]
        assert unit.artifacts.list(second.id) == []
    assert room.read(first).agent_host == room.host.id


def test_inputs_that_are_not_there_are_a_defect_with_the_stages_name(room: EngineRoom) -> None:
    context = room.context(claim_run(room.database, add_run(room.database).id))
    with pytest.raises(Unexpected, match="no recorded result of submit") as error:
        context.result(SubmitResult)
    assert error.value.details == {"stage": "submit"}
