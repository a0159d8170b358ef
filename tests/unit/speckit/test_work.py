import pytest

from moonmind.speckit.features import Feature
from moonmind.speckit.selection import Selection
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.work import Division, NoWork, Work, divided, next_work

FEATURE = Feature("042-x", "specs/042-x", "specs/042-x/tasks.md")


def of(text: str) -> Work | NoWork:
    return next_work(FEATURE, read_tasks(text.encode()))


def test_the_work_is_the_open_tasks_of_the_first_open_phase() -> None:
    found = of(
        "## Phase 1: A\n- [x] T001 a\n## Phase 2: B\n- [x] T002 b\n- [ ] T003 c\n- [~] T004 d\n## Phase 3: C\n- [ ] T005 e\n"
    )
    assert isinstance(found, Work)
    assert (found.phase.title, [task.id for task in found.tasks]) == ("Phase 2: B", ["T003"])
    assert found.left_for_people == ()


def test_flagged_tasks_are_left_for_people() -> None:
    found = of("## Phase 1: A\n- [ ] T001 Manual test on a phone\n- [ ] T002 b\n")
    assert isinstance(found, Work)
    assert [task.id for task in found.tasks] == ["T002"]
    assert [task.id for task in found.left_for_people] == ["T001"]


def test_a_phase_with_flagged_tasks_only_is_passed_over_with_the_reason() -> None:
    found = of("## Phase 1: A\n- [ ] T001 a (DEFERRED to v2)\n## Phase 2: B\n- [ ] T002 b\n")
    assert isinstance(found, Work)
    assert found.phase.title == "Phase 2: B"
    assert found.passed_over == ("Phase 1: A has only tasks for people left: T001 (deferred).",)
    assert [task.id for task in found.left_for_people] == ["T001"]


def test_tasks_under_a_deferred_heading_are_left_for_people() -> None:
    found = of(
        "## Phase 1: A (DEFERRED)\n- [ ] T001 a\n## Phase 2: B\n- [ ] T002 b\n### Old way (skipped)\n- [ ] T003 c\n"
    )
    assert isinstance(found, Work)
    assert [task.id for task in found.tasks] == ["T002"]
    assert [task.id for task in found.left_for_people] == ["T001", "T003"]


def test_nothing_open_is_no_work_in_words() -> None:
    assert of("- [x] T001 a\n- [x] T002 b\n") == NoWork("All 2 tasks of specs/042-x are done.")


def test_tasks_set_aside_are_not_called_done() -> None:
    assert of("- [x] T001 a\n- [~] T002 b\n") == NoWork("1 of 2 tasks of specs/042-x are done; 1 set aside.")


def test_only_flagged_tasks_left_is_no_work_that_names_them() -> None:
    found = of("- [x] T001 a\n- [ ] T014 Manual check\n- [ ] T015 b (skipped)\n")
    assert isinstance(found, NoWork)
    assert found.reason == "Only tasks for people are left in specs/042-x: T014 (manual), T015 (skipped)."
    assert [task.id for task in found.left_for_people] == ["T014", "T015"]


def test_a_long_list_of_ids_is_cut_and_says_so() -> None:
    found = of("".join(f"- [ ] T{number:03} (skipped)\n" for number in range(1, 31)))
    assert isinstance(found, NoWork)
    assert found.reason.endswith("T020 (skipped) and 10 more.")


def test_a_task_named_by_its_own_id_is_handed_out_whatever_is_said_of_it() -> None:
    text = b"## Phase 1: A\n- [ ] T001 Deploy to production\n- [ ] T002 b (skipped)\n- [ ] T003 Run the test suite\n"
    for task_id in ("T001", "T002", "T003"):
        found = next_work(FEATURE, read_tasks(text), Selection.read(tasks=[task_id]))
        assert isinstance(found, Work)
        assert [task.id for task in found.tasks] == [task_id]
    assert isinstance(next_work(FEATURE, read_tasks(text), Selection.read(tasks=["T001-T003"])), NoWork)


@pytest.mark.parametrize(
    ("tasks", "skip", "reason"),
    [
        (["T001"], [], "No selected task of specs/042-x is open."),
        (["T001-T002"], ["T002"], "No selected task of specs/042-x is open."),
        (["T002"], ["T002"], "The selection leaves no task of specs/042-x."),
    ],
)
def test_a_selection_without_work_says_whether_it_holds_any_task(
    tasks: list[str], skip: list[str], reason: str
) -> None:
    file = read_tasks(b"- [x] T001 a\n- [ ] T002 Write b.py\n")
    assert next_work(FEATURE, file, Selection.read(tasks=tasks, skip=skip)) == NoWork(reason)


def test_tasks_that_verify_hold_up_no_phase_and_are_called_so() -> None:
    found = of("## Phase 1: A\n- [ ] T001 Run the test suite\n## Phase 2: B\n- [ ] T002 Write b.py\n")
    assert isinstance(found, Work)
    assert found.passed_over == ("Phase 1: A has only tasks that verify left: T001 (verify).",)
    found = of("- [x] T001 a\n- [ ] T002 Run the test suite\n- [ ] T003 Deploy to production\n")
    assert isinstance(found, NoWork)
    assert found.reason.startswith("Only tasks for people or that verify are left")


@pytest.mark.parametrize(
    ("stories", "most", "taken"),
    [
        (["US1"] * 3 + ["US2"] * 3, None, 6),
        (["US1"] * 3 + ["US2"] * 3, 6, 6),
        (["US1"] * 3 + ["US2"] * 3, 5, 3),
        (["US1"] * 3 + ["US2"] * 3, 3, 3),
        (["US1"] * 6, 4, 4),
        (["US1", "US2", "US3", "US4"], 3, 3),
        (["", "", "US1", "US1", "US1"], 4, 2),
        (["US1"] * 3, 1, 1),
        (["", *["US1"] * 20], 10, 10),
        (["US1"] * 4 + ["US2"] * 20, 10, 10),
        (["US1"] * 5 + ["US2"] * 20, 10, 5),
        (["US1"] * 2 + ["US2"] * 9, 5, 5),
        (["", "US1", "US1"], 2, 1),
    ],
)
def test_a_large_phase_is_divided_before_a_story_else_between_tasks(
    stories: list[str], most: int | None, taken: int
) -> None:
    lines = [f"- [ ] T{n:03} {f'[{story}] ' if story else ''}Write {n}.py" for n, story in enumerate(stories, 1)]
    found = of("## Phase 1: A\n" + "\n".join(lines) + "\n")
    assert isinstance(found, Work)
    part = divided(found, None if most is None else Division(most, "--most"))
    assert part.tasks == found.tasks[:taken]
    of_all = f"{taken} of {len(stories)} open tasks of Phase 1: A, divided because --most is {most}"
    assert part.part == ("" if taken == len(stories) else of_all)
    assert part.rest == found.tasks[taken:]
