from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.stages.submit import agent_job
from tests.support.stage_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.results[Stage.DISCOVER] = {"startingCommit": "abc", "phase": "Phase 1"}
    return made


def kept(world: World, **values: object) -> None:
    world.checkpoints[Stage.SUBMIT] = {"startingCommit": "abc", "phase": "Phase 1", **values}


def test_every_attempt_has_a_job_of_its_own(world: World) -> None:
    assert agent_job.of(world.context(Stage.SUBMIT)).key == f"{world.run_id}/submit-1"
    world.numbers[Stage.SUBMIT] = 12
    context = world.context(Stage.SUBMIT)
    assert agent_job.of(context).key == f"{world.run_id}/submit-12"
    assert (agent_job.of(context).label, agent_job.of(context).log_path) == ("12", "codex/attempt-12.jsonl")


def test_a_spent_job_of_this_attempt_is_followed_by_a_fresh_one(world: World) -> None:
    kept(world, attempt=1, spentJobs=2)
    context = world.context(Stage.SUBMIT)
    assert (agent_job.of(context).key, agent_job.of(context).label) == (f"{world.run_id}/submit-1.2", "1.2")


def test_jobs_that_an_earlier_attempt_spent_do_not_count(world: World) -> None:
    kept(world, attempt=1, spentJobs=2)
    world.numbers[Stage.SUBMIT] = 2
    assert agent_job.of(world.context(Stage.SUBMIT)).key == f"{world.run_id}/submit-2"


def test_a_finished_job_is_taken_over_by_the_next_attempt_of_the_same_plan_only(world: World) -> None:
    kept(world, finishedJob=f"{world.run_id}/submit-1")
    world.numbers[Stage.SUBMIT] = 2
    assert agent_job.of(world.context(Stage.SUBMIT)).key == f"{world.run_id}/submit-1"
    world.results[Stage.DISCOVER] = {"startingCommit": "abc", "phase": "Phase 2"}
    assert agent_job.of(world.context(Stage.SUBMIT)).key == f"{world.run_id}/submit-2"


def test_nothing_kept_is_nothing_to_go_on_from(world: World) -> None:
    assert not agent_job.of(world.context(Stage.SUBMIT)).goes_on
    kept(world)
    assert agent_job.of(world.context(Stage.SUBMIT)).goes_on
