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
    assert chosen("US9") == []


@pytest.mark.parametrize(
    ("story", "tasks", "words"),
    [
        ("one", (), "no story"),
        (None, ("T 1",), "no task"),
        (None, ("T099",), "no task T099"),
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
