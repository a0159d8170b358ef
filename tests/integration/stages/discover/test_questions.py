"""What discover asks a person, and that it goes on with what was answered."""

import json
from pathlib import Path

import pytest

from moonmind.errors import FeatureMissing
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, Failed, NothingToDo
from moonmind.speckit.answer import CHOOSE_FEATURE, CONTINUE, STALE_BOXES
from moonmind.stages.kit.plan import Plan
from tests.support.git_repos import commit_to
from tests.support.stage_world import World


def feature(*lines: str) -> str:
    return "\n".join(["# Tasks: X", "", "## Phase 1: Things", "", *lines, ""])


OPEN = feature("- [ ] T001 Write c.py")
STALE = feature(*(f"- [ ] T00{n} Create src/shop/part{n}.py" for n in range(1, 5)))
THERE = {f"src/shop/part{n}.py": "x\n" for n in range(1, 5)}
SEVERAL = {"specs/001-a/tasks.md": OPEN, "specs/002-b/tasks.md": OPEN, "web/specs/002-b/tasks.md": OPEN}
PEOPLE = feature("- [ ] T001 Deploy to production", "- [ ] T002 Run the test suite")


def world_of(tmp_path: Path, files: dict[str, str], requested: str = "") -> World:
    world = World(tmp_path, files=files)
    world.requested = requested
    return world


def asked(world: World) -> Ask:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Ask), outcome
    return outcome


def planned(world: World) -> Plan:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Done), outcome
    return Plan.read(outcome.result)


@pytest.mark.parametrize("path", ["specs/001-a", "specs/002-b", "web/specs/002-b"])
def test_the_feature_that_a_person_chooses_is_worked_on(tmp_path: Path, path: str) -> None:
    world = world_of(tmp_path, {**SEVERAL, "specs/009-people/tasks.md": PEOPLE})
    question = asked(world)
    assert question.kind == CHOOSE_FEATURE
    # What is a person's alone is nothing to choose, and said.
    assert question.text.endswith("Only tasks for people are open in specs/009-people.")
    assert {option.value for option in question.options} == {"specs/001-a", "specs/002-b", "web/specs/002-b"}
    assert all("1 of 1 tasks open" in option.text for option in question.options)
    assert asked(world) == question
    world.answers(path)
    plan = planned(world)
    assert plan.feature.path == path
    assert "chosen by a person" in plan.choice


def test_a_person_goes_on_with_boxes_that_may_be_stale(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"specs/001-a/tasks.md": STALE, **THERE})
    question = asked(world)
    assert question.kind == STALE_BOXES
    assert "4 of 4 open tasks name files that are there" in question.text
    assert [option.value for option in question.options] == [CONTINUE]
    world.answers(CONTINUE)
    plan = planned(world)
    assert [task.id for task in plan.tasks] == ["T001", "T002", "T003", "T004"]
    assert any(warning.startswith("boxes may be stale: 4 of 4") for warning in plan.warnings)


def test_a_person_takes_another_feature_than_the_one_with_stale_boxes(tmp_path: Path) -> None:
    files = {"specs/001-a/tasks.md": STALE, "specs/002-b/tasks.md": OPEN, **THERE}
    world = world_of(tmp_path, {**files, ".specify/feature.json": '{"feature_directory": "specs\\\\001-a"}'})
    assert [option.value for option in asked(world).options] == [CONTINUE, "specs/002-b"]
    world.answers("specs/002-b")
    assert planned(world).feature.path == "specs/002-b"
    # Going on is about the feature that was asked about, whatever is pushed meanwhile.
    other = world_of(tmp_path, {}, "")
    asked(other)
    commit_to(
        other.bare,
        "main",
        {".specify/feature.json": "{}", "specs/001-a/tasks.md": STALE},
        "Move",
        start=other.tip("main"),
    )
    other.answers(CONTINUE)
    assert planned(other).feature.path == "specs/001-a"


@pytest.mark.parametrize(("requested", "pointer"), [("", "specs/done/003-z"), ("specs/done/003-z", ""), ("003", "")])
def test_what_is_set_aside_is_planned_where_it_is_named(tmp_path: Path, requested: str, pointer: str) -> None:
    files = {
        "specs/002-b/tasks.md": OPEN,
        "specs/done/003-z/tasks.md": OPEN,
        ".specify/feature.json": json.dumps({"feature_directory": pointer}),
    }
    assert planned(world_of(tmp_path, files, requested)).feature.path == "specs/done/003-z"


def test_a_feature_that_is_gone_when_the_answer_comes_is_said_to_be(tmp_path: Path) -> None:
    world = world_of(tmp_path, SEVERAL)
    asked(world)
    commit_to(world.bare, "main", {"specs/001-a/tasks.md": None}, "Remove", start=world.tip("main"))
    world.answers("specs/001-a")
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == FeatureMissing.code


def test_tasks_and_phase_of_the_request_decide_and_are_no_question(tmp_path: Path) -> None:
    text = STALE + "\n## Phase 2: More\n\n- [ ] T010 Create src/shop/more.py\n- [ ] T011 Create src/shop/most.py\n"
    world = world_of(tmp_path, {"specs/001-a/tasks.md": text, **THERE})
    world.selection = {"phase": "2", "story": None, "tasks": [], "skip": ["T010"]}
    plan = planned(world)
    assert (plan.phase, [task.id for task in plan.tasks]) == ("Phase 2: More", ["T011"])
    world.selection = {"phase": "7"}
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Failed)
    assert "there is no phase '7'" in outcome.error.message


def test_tasks_for_people_only_end_the_run_with_who_does_what(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"specs/001-a/tasks.md": PEOPLE})
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, NothingToDo)
    assert outcome.result["featureKey"] == "specs/001-a"
    for words in (
        "Only tasks for people or that verify are left in specs/001-a: T001 (deploy), T002 (verify).",
        'T001: a person who may deploy or release (deploy: "Deploy to production").',
        'T002: whoever runs the checks; nothing is to be changed (verify: "Run the test").',
    ):
        assert words in outcome.reason


def test_a_nested_projects_constitution_is_the_features(tmp_path: Path) -> None:
    files = {
        "backend/specs/001-a/tasks.md": OPEN,
        "backend/.specify/memory/constitution.md": "x\n",
        ".specify/memory/constitution.md": "y\n",
    }
    plan = planned(world_of(tmp_path, files))
    assert (plan.feature.root, plan.constitution) == ("backend", "backend/.specify/memory/constitution.md")
