import json
from pathlib import Path

from moonmind.ports.agent import JobState
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World


def test_the_summary_says_what_the_run_did_and_the_folders_are_gone(tmp_path: Path) -> None:
    world = World(tmp_path)
    outcome = world.succeed()
    assert isinstance(outcome, Done)
    assert outcome.result["ticked"] == ["T001", "T002", "T003"]
    assert outcome.result["files"] > 0
    assert outcome.result["usage"]["inputTokens"] > 0
    summary = json.loads(world.artifacts.read("finalize/summary.json"))
    assert summary["pullRequestUrl"] == world.results[Stage.PUBLISH]["pullRequestUrl"]
    assert summary["commit"] == world.tip()
    assert world.vcs.find_workspace(REPOSITORY, world.run_id) is None
    assert world.agent.poll(world.results[Stage.SUBMIT]["jobKey"]).state is JobState.ABSENT


def test_finalizing_again_is_no_error_and_gives_the_same_totals(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.succeed() == world.step(Stage.FINALIZE)


def test_what_was_made_stays_pinned_after_the_clean_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.succeed()
    assert world.vcs.wip(REPOSITORY, world.run_id) == world.results[Stage.SUBMIT]["wip"]
