"""A person's choice among the tasks."""

import pytest

from moonmind.errors import InvalidRequest
from moonmind.speckit.selection import Selection
from moonmind.speckit.tasks_md import read_tasks

FILE = read_tasks(
    b"""## Phase 1: A

- [ ] T001 One
- [x] T002 [US1] Two

## Phase 2: B

- [ ] T003 [US1] Three
- [ ] T010 [US2] Ten
- [ ] T004 [US1, US2] Four
- [ ] T003 [US2] Three again
"""
)


def chosen(story: str | None = None, *tasks: str) -> list[str]:
    keys = Selection.read(story, tasks).of(FILE)
    return [task.key for task in FILE.tasks if task.key in keys]


def test_nothing_chosen_is_everything() -> None:
    assert Selection.read().is_all
    assert len(chosen()) == 6


@pytest.mark.parametrize("story", ["US1", "us1", "1", "US-1", " US1 "])
def test_a_story_is_named_in_many_ways(story: str) -> None:
    assert chosen(story) == ["4:T002", "8:T003", "10:T004"]


@pytest.mark.parametrize(
    ("tasks", "keys"),
    [
        (["T010"], ["9:T010"]),
        (["T003"], ["8:T003", "11:T003"]),
        (["T001-T010"], ["3:T001", "4:T002", "8:T003", "9:T010"]),
        (["T001 .. T002", "T004"], ["3:T001", "4:T002", "10:T004"]),
        (["T004,T001"], ["3:T001", "10:T004"]),
        (["T010-T004"], ["9:T010", "10:T004"]),
    ],
)
def test_tasks_and_ranges_go_by_the_order_of_the_file(tasks: list[str], keys: list[str]) -> None:
    assert chosen(None, *tasks) == keys


def test_a_story_narrows_the_tasks() -> None:
    assert chosen("US2", "T001-T010") == ["9:T010"]


@pytest.mark.parametrize(
    ("story", "tasks", "words"),
    [
        ("one", (), "no story"),
        ("US9", (), "no story US9; stories: US1, US2"),
        (None, ("T 1",), "no task"),
        (None, ("T099",), "no task T099; the tasks go from T001 to T003"),
        (None, ("T004-T001",), "before"),
        (None, ("T001-T099",), "no task T099"),
    ],
)
def test_what_names_nothing_is_refused_with_what_to_write(
    story: str | None, tasks: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        chosen(story, *tasks)
    assert caught.value.advice


PHASES = read_tasks(
    """## Phase 1: Setup (Shared Infrastructure)

- [ ] T001 One
- [ ] T002 Two

## Phase 2: Core [US1]

- [ ] T003 Three

## 阶段 3：完善

- [ ] T004 Four

## Phase 10: Core polish

- [ ] T005 Five
""".encode()
)


@pytest.mark.parametrize(
    ("phase", "ids"),
    [
        ("1", ["T001", "T002"]),
        ("Phase 2", ["T003"]),
        ("phase 2: core [us1]", ["T003"]),
        ("10", ["T005"]),
        ("setup", ["T001", "T002"]),
        ("3", ["T004"]),
        ("完善", ["T004"]),
    ],
)
def test_a_phase_is_named_by_number_title_or_a_part_of_it(phase: str, ids: list[str]) -> None:
    keys = Selection.read(phase=phase).of(PHASES)
    assert [task.id for task in PHASES.tasks if task.key in keys] == ids


@pytest.mark.parametrize(("phase", "words"), [("core", "fits 2 phases"), ("7", "no phase '7'"), (" ", "empty")])
def test_a_phase_that_is_not_one_is_refused_with_those_there_are(phase: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Selection.read(phase=phase).of(PHASES)


@pytest.mark.parametrize(
    ("phase", "tasks", "skip", "ids"),
    [
        ("1", [], ["T002"], ["T001"]),
        (None, ["T001-T004"], ["T002-T003"], ["T001", "T004"]),
        (None, [], ["T001", "T003-T005"], ["T002"]),
        ("2", ["T001-T003"], [], ["T003"]),
    ],
)
def test_phase_tasks_and_what_is_left_out_are_one_choice(
    phase: str | None, tasks: list[str], skip: list[str], ids: list[str]
) -> None:
    selection = Selection.read(tasks=tasks, phase=phase, skip=skip)
    assert not selection.is_all
    assert selection.names_tasks == bool(phase or tasks)
    keys = selection.of(PHASES)
    assert [task.id for task in PHASES.tasks if task.key in keys] == ids
