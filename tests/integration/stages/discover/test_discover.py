from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest

from moonmind.adapters.forges.local import LocalForge
from moonmind.engine.forge_cooldown import FORGE_COOLDOWN
from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import CredentialInvalid
from moonmind.ports.forge import PullRequestDraft, Repository
from moonmind.runs.chain import Stage
from moonmind.runs.kinds import TICKS
from moonmind.runs.machine import Done, Failed, NothingToDo, Suspend, WaitingReason
from moonmind.sample import source
from moonmind.stages.discover.discover import preview, run
from moonmind.stages.kit.plan import Plan
from tests.support.git_repos import commit_to, merge
from tests.support.plans import an_apply_result
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import BRANCH, FOLDER, KEY, TASKS, World


def plan_of(world: World) -> Plan:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Done), outcome
    return Plan.read(outcome.result)


def reason_of(world: World) -> str:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, NothingToDo), outcome
    return outcome.reason


def failure_of(world: World) -> Failed:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Failed), outcome
    return outcome


def feature(*lines: str) -> str:
    return "\n".join(["# Tasks: X", "", "## Phase 1: Things", "", *lines, ""])


def test_the_first_phase_of_the_sample_is_planned_from_the_tip_of_main(tmp_path: Path) -> None:
    world = World(tmp_path)
    plan = plan_of(world)
    assert plan.feature.path == FOLDER
    assert plan.phase == "Phase 1: Setup (Shared Infrastructure)"
    assert [task.id for task in plan.tasks] == ["T001", "T002", "T003"]
    assert plan.tasks[0].targets == ("tests/test_setup.py",)
    assert (plan.base, plan.branch, plan.branch_tip) == ("main", BRANCH, None)
    assert plan.starting_commit == world.tip("main")
    assert plan.constitution == ".specify/memory/constitution.md"
    assert (plan.documents or {})[f"{FOLDER}/spec.md"] == "spec"
    assert all((plan.hashes or {}).values())
    assert KEY in plan.choice


def test_a_large_phase_is_divided_where_a_setting_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    context = replace(world.context(Stage.DISCOVER), phase_tasks=2)
    outcome = run(context)
    assert isinstance(outcome, Done)
    plan = Plan.read(outcome.result)
    part = "2 of 3 open tasks of Phase 1: Setup (Shared Infrastructure), divided because MOONMIND_PHASE_TASKS is 2"
    assert [task.id for task in plan.tasks] == ["T001", "T002"]
    assert f"{part}; " in plan.choice
    assert plan.part == part
    shown = preview(context).answer
    assert (shown["tasks"], shown["choice"]) == (["T001", "T002"], plan.choice)


def with_three_tasks(folder: Path, files: Mapping[str, str] = MappingProxyType({})) -> World:
    world = World(folder)
    tasks = [f"- [ ] T00{number} Create src/{number}.py" for number in (1, 2, 3)]
    text = feature("**Independent Test**: Start it", "", *tasks, "", "**Checkpoint**: All is there")
    commit_to(world.bare, "main", {TASKS: text, **files}, "Three tasks")
    return world


def test_only_what_ends_a_phase_is_held_to_its_checkpoint(tmp_path: Path) -> None:
    context = with_three_tasks(tmp_path).context(Stage.DISCOVER)
    for most, facts in ((1, (None, None)), (2, (None, None)), (3, ("All is there", "Start it"))):
        outcome = run(replace(context, phase_tasks=most))
        assert isinstance(outcome, Done)
        plan = Plan.read(outcome.result)
        assert (plan.checkpoint, plan.independent_test) == facts


def test_boxes_to_tick_are_not_divided(tmp_path: Path) -> None:
    done = {"src/1.py": "def one() -> int:\n    return 1\n"}
    context = with_three_tasks(tmp_path, done).context(Stage.DISCOVER)
    ticks = replace(context, run=replace(context.run, kind=TICKS))
    whole = preview(ticks).answer
    assert whole["tasks"] == ["T001"]
    for most in (1, 2, 3):
        assert preview(replace(ticks, phase_tasks=most)).answer == whole


@pytest.mark.parametrize(
    ("requested", "left"),
    [("", "- [x] T002 Write b.py"), ("001-a", "- [x] T002 Write b.py"), ("", "- [ ] T002 Deploy to production")],
)
def test_a_run_without_work_says_which_branch_holds_what_is_done(tmp_path: Path, requested: str, left: str) -> None:
    world = World(tmp_path, files={"specs/001-a/tasks.md": feature("- [ ] T001 Write a.py", left)})
    world.requested = requested
    done = {"specs/001-a/tasks.md": feature("- [x] T001 Write a.py", left)}
    commit_to(world.bare, "moonmind/001-a", done, "T001", start=world.tip("main"))
    where = "specs/001-a is read from moonmind/001-a, which is not merged into main: "
    assert f"{where}it holds commits without a pull request yet." in reason_of(world)
    opened = world.forge.ensure_pull_request(REPOSITORY, PullRequestDraft("moonmind/001-a", "main", "A", "a"))
    assert f"{where}its pull request is open, {opened.url}." in reason_of(world)
    shown = preview(world.context(Stage.DISCOVER)).answer
    assert opened.url in shown["reasons"][-1]
    merge(world.bare, "moonmind/001-a", "main")
    assert "moonmind/001-a" not in reason_of(world)


def test_discovering_again_gives_the_same_plan(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert plan_of(world) == plan_of(world)


def test_the_next_phase_starts_on_the_open_branch(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    plan = plan_of(first.next_run(2))
    assert plan.phase.startswith("Phase 2")
    assert plan.starting_commit == plan.branch_tip == first.tip(BRANCH)
    assert plan.branch == BRANCH


def test_commits_that_a_person_put_on_the_branch_are_kept(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    theirs = commit_to(first.bare, BRANCH, {"theirs.txt": "x"}, "A person's commit")
    assert plan_of(first.next_run(2)).starting_commit == theirs


def test_work_that_waits_for_its_merge_is_not_handed_out_twice(tmp_path: Path) -> None:
    files = {
        "specs/001-a/tasks.md": feature("- [ ] T001 Write a.py"),
        "specs/002-b/tasks.md": feature("- [ ] T001 Write b.py"),
    }
    first = World(tmp_path, files=files)
    first.requested = "001-a"
    first.succeed()
    second = first.next_run(2)
    second.requested = ""
    assert plan_of(second).feature.key == "002-b"


def test_a_finished_feature_is_no_work_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, files={f"{FOLDER}/tasks.md": feature("- [x] T001 Write a.py")})
    assert "All 1 tasks" in reason_of(world)
    world.requested = ""
    assert "done" in reason_of(world)


def test_tasks_for_people_only_are_no_work_and_are_named(tmp_path: Path) -> None:
    world = World(tmp_path, files={f"{FOLDER}/tasks.md": feature("- [ ] T001 (manual) Look at it")})
    assert "T001 (manual)" in reason_of(world)


def test_an_empty_repository_is_no_work(tmp_path: Path) -> None:
    world = World(tmp_path, files={})
    assert "empty" in reason_of(world)


def test_a_feature_that_is_not_there_fails_with_those_that_are(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.requested = "999-nope"
    failed = failure_of(world)
    assert failed.error.code == "feature_not_found"
    assert KEY in failed.error.message
    assert not failed.transient


def test_an_unreadable_tasks_file_fails_with_its_line(tmp_path: Path) -> None:
    world = World(tmp_path, files={TASKS: feature("<<<<<<< HEAD", "- [ ] T001 a", "=======", ">>>>>>> x")})
    assert failure_of(world).error.code == "spec_unreadable"


def test_a_tasks_file_that_the_open_branch_deleted_is_said_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    commit_to(world.bare, BRANCH, {TASKS: None}, "Remove", start=world.tip("main"))
    failed = failure_of(world)
    assert failed.error.code == "spec_unreadable"
    assert BRANCH in failed.error.message


class Refusing(LocalForge):
    """A forge that takes no credential."""

    def repository(self, name: str) -> Repository:
        raise CredentialInvalid("GH_TOKEN was refused", check="github.token")


def test_a_refused_credential_leaves_its_audit_row_and_is_not_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.forge = Refusing(world.forge_options)
    failed = failure_of(world)
    assert (failed.error.code, failed.transient) == ("credential_invalid", False)
    assert failed.error.details["check"] == "github.token"
    assert world.services.audits == ["forge: credential_invalid"]


def test_the_same_request_that_ticked_nothing_is_not_started_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    plan = plan_of(world)
    judged = {Stage.DISCOVER: plan.stored(), Stage.APPLY: an_apply_result(ticked=()).stored()}
    world.services.earlier = EarlierRun(UUID(int=5), None, judged, None)
    assert reason_of(world).startswith("No progress on T001, T002, T003")
    shown = preview(world.context(Stage.DISCOVER)).answer
    assert (shown["answer"], shown["tasks"], shown["commit"]) == ("nothing_left", [], plan.starting_commit)
    world.notes = "Use the standard library"
    assert plan_of(world) == plan


def test_the_sample_is_what_the_plan_was_made_from() -> None:
    assert TASKS in source.files()


def test_a_cooldown_holds_discovery_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    opens = world.services.extend_cooldown(FORGE_COOLDOWN, 60, "the forge asked to wait")
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Suspend)
    assert (outcome.reason, outcome.until) == (WaitingReason.RATE_LIMIT, opens)
    del world.services.cooldowns[FORGE_COOLDOWN]
    plan_of(world)


def test_an_empty_repository_has_its_credential_audited_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.forge = EmptyForge(world.forge_options)
    assert "empty" in reason_of(world)
    assert world.services.audits == ["forge audited"]


class EmptyForge(LocalForge):
    def repository(self, name: str) -> Repository:
        return Repository(name, f"file:///nowhere/{name}.git", "main", empty=True)


def test_files_that_configure_agents_are_named_in_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert plan_of(world).warnings == ()
    files = dict.fromkeys((".codex/config.toml", "web/.Codex/hooks.json", "docs/.mcp.json", ".codex/prompts/a.md"), "x")
    commit_to(world.bare, "main", files, "Configure agents")
    (warning,) = plan_of(world).warnings
    assert all(path in warning for path in list(files)[:3])
    assert "prompts" not in warning


PLACES = ("specs/001-a", "backend/specs/001-a", "frontend/specs/001-a")


@pytest.fixture
def twins(tmp_path: Path) -> World:
    return World(tmp_path, files={f"{path}/tasks.md": feature("- [ ] T001 Write a.py") for path in PLACES})


@pytest.mark.parametrize("requested", ["001-a", "001"])
def test_a_key_that_several_places_have_is_refused_with_their_paths(twins: World, requested: str) -> None:
    twins.requested = requested
    error = failure_of(twins).error
    assert error.code == "feature_unclear"
    assert all(path in error.message for path in PLACES)
    assert "path" in error.remediation


def test_each_of_several_places_has_its_own_branch_pull_request_and_title(twins: World) -> None:
    branches = set()
    for number, requested in enumerate(["specs/001-a", "backend/specs/001-a", "frontend/001-a"], 1):
        run = twins.next_run(number)
        run.requested = requested
        run.plays(
            {"write": "a.py", "content": f"x = {number}\n"},
            {"claim": ["T001"]},
            {"end": "completed", "message": "Done."},
        )
        run.succeed()
        plan = Plan.read(run.results[Stage.DISCOVER])
        path = PLACES[number - 1]
        assert plan.feature.path == path
        (pull,) = run.pulls(plan.branch)
        assert pull.title == f"{path}: Phase 1: Things"
        assert f"{path}/tasks.md" in pull.body
        branches.add(plan.branch)
    assert len(branches) == 3


@pytest.mark.parametrize("on", ["main", BRANCH])
def test_a_tasks_file_that_is_a_link_is_said_to_be_one_where_it_is(tmp_path: Path, on: str) -> None:
    world = World(tmp_path)
    start = None if on == "main" else world.tip("main")
    commit_to(world.bare, on, {TASKS: "../../elsewhere.md"}, "Link", start=start, modes={TASKS: "120000"})
    error = failure_of(world).error
    assert error.code == "spec_unreadable"
    assert error.message == f"{TASKS} is a symbolic link on {on}."
    assert "the file itself" in error.remediation
