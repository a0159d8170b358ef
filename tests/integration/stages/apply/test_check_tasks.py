"""A task that only asks that the tests pass is decided by running them: no agent and no person has to."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.pull_request_text import section
from tests.support.stage_parts import REPOSITORY
from tests.support.verified_world import A_TEST, SPEC, TASKS, TOTAL, Judged, VerifiedWorld, project

GOOD: Mapping[str, str | None] = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}
BREAKS = {**GOOD, "shop/names.py": "def upper(name):\n    return name.lower()\n"}
SUITE = "- [ ] T003 Run the full test suite and verify that all tests pass\n"


def judged(folder: Path, tasks: str, files: Mapping[str, str | None]) -> tuple[VerifiedWorld, Judged]:
    world = VerifiedWorld(folder, project(TASKS + tasks))
    world.rounds_left = False
    try:
        return world, world.judged(files)
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))


@pytest.mark.parametrize(
    ("tasks", "files", "verdict"),
    [
        (SUITE, GOOD, "passing"),
        pytest.param(
            "- [ ] T003 Verify that the tests in tests/test_names.py pass\n", GOOD, "passing", marks=pytest.mark.full
        ),
        pytest.param(
            "- [ ] T003 Verify that the tests in tests/test_other.py pass\n", GOOD, None, marks=pytest.mark.full
        ),
        (SUITE, BREAKS, None),
        (SUITE, {"tests/test_total.py": A_TEST, "shop/totals.py": TOTAL}, None),
        pytest.param("- [ ] T003 Run the full test suite in the browser by hand\n", GOOD, None, marks=pytest.mark.full),
    ],
    ids=["suite", "named", "not there", "broken", "part of the phase", "by hand"],
)
def test_the_tests_decide(tmp_path: Path, tasks: str, files: Mapping[str, str | None], verdict: str | None) -> None:
    kept = {path: text for path, text in files.items() if text is not None}
    world, found = judged(tmp_path, tasks, kept)
    assert found.words.get("T003") == verdict
    assert ("T003" in found.result.ticked) is (verdict is not None)
    after = world.context(Stage.APPLY).vcs.read(REPOSITORY, found.result.commit, f"{SPEC}/tasks.md") or b""
    assert (b"- [x] T003" in after) is (verdict is not None)
    plan = Plan.read(world.results[Stage.DISCOVER])
    text = section(plan, found.result, world.run_id)
    assert ("Not given to the agent" in text) is (verdict is None)


def test_one_that_a_person_hands_to_the_agent_is_decided_by_the_tests_too(tmp_path: Path) -> None:
    world = VerifiedWorld(tmp_path, project(TASKS + SUITE))
    world.selection = {"tasks": ["T001", "T002", "T003"]}
    try:
        found = world.judged(GOOD)
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))
    assert found.words == {"T001": "tested", "T002": "tested", "T003": "passing"}
    assert found.by_id["T003"].because == "the repository's tests pass"
