"""A task that only asks that the tests pass is decided by running them: no agent and no person has to."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from moonmind.engine.stage_services import EarlierRun
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, NothingToDo
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.pull_request_text import section
from tests.support.git_repos import commit_to
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import BRANCH
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


@pytest.mark.full
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


@pytest.mark.full
def test_one_waits_for_all_that_stands_before_it_in_its_phase(tmp_path: Path) -> None:
    world = VerifiedWorld(tmp_path, project(TASKS + SUITE))
    world.selection = {"skip": ["T001"]}
    try:
        found = world.judged({"shop/total.py": TOTAL}, claim=("T002",))
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))
    assert "T003" not in found.words


@pytest.mark.full
@pytest.mark.parametrize("test", ["true", "echo '1 passed'", "python3 -c ''"])
def test_a_command_that_comes_with_the_change_and_runs_no_test_confirms_nothing(tmp_path: Path, test: str) -> None:
    files = {"Makefile": f"test:\n\t{test}\n", "shop/total.py": TOTAL, "tests/test_total.py": "import shop\n"}
    world = VerifiedWorld(
        tmp_path, {path: text for path, text in project(TASKS + SUITE, None).items() if "test_" not in path}
    )
    try:
        found = world.judged(files)
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))
    assert not {"passing", "tested"} & {*found.words.values()}, found.words


@pytest.mark.full
@pytest.mark.parametrize(
    ("pushed", "goes_on"),
    [
        ({}, False),
        ({f"{SPEC}/tasks.md": TASKS.replace("[ ] T001", "[x] T001")}, False),
        ({"shop/names.py": TOTAL}, True),
    ],
    ids=["nothing", "a box", "a correction"],
)
def test_no_phase_is_begun_on_a_change_that_breaks_tests(tmp_path: Path, pushed: dict[str, str], goes_on: bool) -> None:
    world, found = judged(tmp_path, "\n## Phase 2: More\n\n- [ ] T004 Write docs/more.md\n", BREAKS)
    assert found.tests.draft
    assert isinstance(world.drive(Stage.PUBLISH), Done)
    if pushed:
        commit_to(world.bare, BRANCH, pushed, "Go on")
    results = dict(world.results)
    later = world.next_run(2)
    later.services.earlier = EarlierRun(world.run_id, None, results, None)
    assert isinstance(later.step(Stage.DISCOVER), Done if goes_on else NothingToDo)
