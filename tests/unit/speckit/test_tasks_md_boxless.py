"""Tasks without a box: an odd one is told and left to people, a habit of striking through is read, the rest is refused."""

import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.features import find_features
from moonmind.speckit.tasks_md import Mark, read_tasks, tick
from moonmind.speckit.work import NoWork, next_work

MANY = "".join(f"{number}. [X] **T{number:03d}** Do part {number}\n" for number in range(1, 18))
ONE_FORGOTTEN = f"## Phase 1: A\n\n{MANY}18. **T018** Do part 18\n19. [X] **T019** Do part 19\n".encode()


def test_one_box_that_was_forgotten_among_many_is_an_open_task_that_no_agent_is_given() -> None:
    file = read_tasks(ONE_FORGOTTEN)
    assert (file.total, file.completed) == (19, 18)
    assert not file.all_complete
    assert file.next_phase is not None
    (task,) = file.next_phase.pending
    assert (task.id, task.line, task.flags) == ("T018", 20, ("no box",))
    assert file.warnings == ("Line 20 (T018): it has no box; write `- [ ]` before the id.",)
    (feature,) = find_features(["specs/001-x/tasks.md"])
    found = next_work(feature, file)
    assert isinstance(found, NoWork)
    assert "T018 (no box)" in found.reason


def test_what_has_no_box_is_not_ticked_and_the_others_are() -> None:
    file = read_tasks(ONE_FORGOTTEN)
    task = next(one for one in file.tasks if one.id == "T018")
    with pytest.raises(SpecUnreadable, match="no box"):
        tick(ONE_FORGOTTEN, [task])
    opened = ONE_FORGOTTEN.replace(b"1. [X]", b"1. [ ]", 1)
    first = read_tasks(opened).tasks[0]
    assert tick(opened, [first]) == ONE_FORGOTTEN


@pytest.mark.parametrize("forgotten", [2, 5, 17])
def test_more_than_the_odd_one_is_refused(forgotten: int) -> None:
    lines = [f"- [x] T{n:03d} a" for n in range(1, 19)] + [f"- T{n:03d} b" for n in range(50, 50 + forgotten)]
    with pytest.raises(SpecUnreadable, match="T050"):
        read_tasks("\n".join(["## Phase 1: A", "", *lines]).encode())


def test_a_list_whose_every_task_is_struck_through_is_done_and_says_how_it_was_read() -> None:
    file = read_tasks(b"# Tasks\n\n## Phase 1: A\n\n* ~~T001 a~~\n* ~~T002 b~~\n\n## Phase 2: B\n\n* ~~**T003** c~~\n")
    assert (file.total, file.completed, file.all_complete) == (3, 3, True)
    assert {task.mark for task in file.tasks} == {Mark.DONE}
    assert [phase.title for phase in file.phases] == ["Phase 1: A", "Phase 2: B"]
    assert file.warnings == ("No task has a box; tasks that are struck through count as done.",)


@pytest.mark.parametrize(
    "text",
    [
        "* ~~T001 a~~\n* ~~T002 b~~\n* ~~T003 c~~\n* T004 d\n",
        "* ~~T001 a~~\n* ~~T002 b~~\n",
        "- T001 a\n- T002 b\n- T003 c\n",
    ],
    ids=["one is not struck", "two are no habit", "none is"],
)
def test_other_lists_without_boxes_are_refused(text: str) -> None:
    with pytest.raises(SpecUnreadable, match="without a box"):
        read_tasks(f"## Phase 1: A\n\n{text}".encode())


def test_phases_written_as_plain_lines_are_phases_where_no_heading_is_one() -> None:
    file = read_tasks(b"# Tasks\n\nPhase 1: Setup\n\n- [x] T001 a\n\nPhase 2: Core\n- [ ] T002 b\n- [ ] T003 c\n")
    assert [(phase.title, phase.total) for phase in file.phases] == [("Phase 1: Setup", 1), ("Phase 2: Core", 2)]
    assert file.next_phase is not None
    assert [task.id for task in file.next_phase.pending] == ["T002", "T003"]


@pytest.mark.parametrize(
    "line", ["Phase 2: Core is next. It needs more.", "see\nPhase 2: Core", "Phase two of many", "- Phase 2: Core"]
)
def test_words_about_phases_are_none(line: str) -> None:
    file = read_tasks(f"# Tasks\n\n## Setup\n\n- [ ] T001 a\n\n{line}\n\n- [ ] T002 b\n".encode())
    assert [phase.title for phase in file.phases] == ["Setup"]
