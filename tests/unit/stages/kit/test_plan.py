import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import Unexpected
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.kit.plan import Plan, PlanTask
from tests.support.plans import a_plan, a_task

words = st.text(max_size=20)
tasks = st.builds(
    PlanTask,
    id=words,
    line=st.integers(1, 999),
    text=words,
    targets=st.lists(words, max_size=3).map(tuple),
    references=st.lists(words, max_size=3).map(tuple),
    removals=st.lists(words, max_size=3).map(tuple),
    gone=st.lists(words, max_size=3).map(tuple),
    story=st.none() | words,
)


@given(
    given_tasks=st.lists(tasks, min_size=1, max_size=4),
    tip=st.none() | words,
    left=st.lists(words, max_size=3).map(tuple),
    checkpoint=st.none() | words,
)
def test_a_plan_survives_its_row(
    given_tasks: list[PlanTask], tip: str | None, left: tuple[str, ...], checkpoint: str | None
) -> None:
    plan = a_plan(*given_tasks, branch_tip=tip, left_for_people=left, checkpoint=checkpoint, warnings=("w",))
    assert Plan.read(json.loads(json.dumps(plan.stored()))) == plan


@pytest.mark.parametrize(
    ("text", "targets", "references", "gone"),
    [
        ("Create src/a.py per docs/a.md", ("src/a.py",), ("docs/a.md",), ()),
        ("Delete src/a.py", ("src/a.py",), (), ("src/a.py",)),
        ("Run quickstart.md validation", (), ("quickstart.md",), ()),
    ],
)
def test_a_plan_of_an_earlier_program_is_split_by_its_words(
    text: str, targets: tuple[str, ...], references: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    outputs = a_plan().stored()
    old = {"id": "T001", "line": 10, "text": text, "paths": ["src/a.py", "docs/a.md"], "tests": [], "story": "US1"}
    (task,) = Plan.read({**outputs, "tasks": [old]}).tasks
    assert (task.targets, task.references, task.gone) == (targets, references, gone)
    assert task.story == "US1"


def test_a_plan_of_an_earlier_program_is_of_no_part() -> None:
    outputs = dict(a_plan(part="1 of 2 open tasks").stored())
    assert Plan.read(outputs).part == "1 of 2 open tasks"
    del outputs["part"]
    assert Plan.read(outputs).part == ""


@pytest.mark.parametrize(("part", "rest"), [("", []), ("1 of 3 open tasks", ["T002", "T004"])])
def test_the_work_of_a_part_knows_the_phases_other_tasks(part: str, rest: list[str]) -> None:
    text = b"## Phase 1: A\n- [ ] T001 a\n- [ ] T002 b\n- [ ] T003 c (skipped)\n- [ ] T004 d\n## Phase 2: B\n- [ ] T005 e\n"
    work = a_plan(a_task("T001", 2), part=part, left_for_people=("T003",)).work(read_tasks(text))
    assert (work.part, [task.id for task in work.rest]) == (part, rest)


def test_the_facts_of_the_run_are_named_as_its_columns_expect() -> None:
    outputs = a_plan().stored()
    assert outputs["featureKey"] == "specs/spec-42-refresh-docs"
    assert outputs["phase"] == "Phase 1: Setup (Shared Infrastructure)"
    assert outputs["branchName"] == "moonmind/spec-42-refresh-docs"


@pytest.mark.parametrize("broken", [{"v": 2}, {"v": None}, {"tasks": None}, {"feature": {}}, {"feature": None}])
def test_outputs_that_are_not_ours_are_refused_by_name(broken: dict[str, object]) -> None:
    with pytest.raises(Unexpected, match="what discover recorded"):
        Plan.read({**a_plan().stored(), **broken})


def test_a_task_is_named_by_line_and_id() -> None:
    assert a_task("T002", 7).key == "7:T002"
