from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.restored_work import ensure_start, find_wip, has
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.succeed(through=Stage.SUBMIT)
    return made


def plan_of(world: World) -> Plan:
    return Plan.read(world.results[Stage.DISCOVER])


def test_the_recorded_commit_is_found_without_the_folder(world: World) -> None:
    world.vcs.close_workspace(REPOSITORY, world.run_id)
    submitted = world.results[Stage.SUBMIT]
    assert (
        find_wip(world.context(Stage.APPLY), plan_of(world), submitted["wip"], submitted["patchPath"])
        == submitted["wip"]
    )


def test_the_folder_gives_the_same_commit_where_the_record_is_of_no_use(world: World) -> None:
    submitted = world.results[Stage.SUBMIT]
    found = find_wip(world.context(Stage.APPLY), plan_of(world), "f" * 40, None)
    assert found == submitted["wip"]


def test_the_stored_patch_gives_the_same_commit_on_another_machine(world: World) -> None:
    submitted, plan = world.results[Stage.SUBMIT], plan_of(world)
    world.on_host("two")
    context = world.context(Stage.APPLY)
    assert not has(context, plan, plan.starting_commit)
    ensure_start(context, plan)
    assert has(context, plan, plan.starting_commit)
    assert find_wip(context, plan, submitted["wip"], submitted["patchPath"]) == submitted["wip"]


def test_without_any_trace_nothing_is_found(world: World) -> None:
    world.on_host("two")
    context, plan = world.context(Stage.APPLY), plan_of(world)
    ensure_start(context, plan)
    assert find_wip(context, plan, "f" * 40, "patches/none.diff") is None
    assert find_wip(context, plan, None, None) is None


def test_a_commit_that_was_never_made_is_not_there(world: World) -> None:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done)
    context, plan = world.context(Stage.PUBLISH), plan_of(world)
    assert has(context, plan, outcome.result["commit"])
    assert not has(context, plan, "f" * 40)
