import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks_md import Mark, read_tasks
from moonmind.speckit.ticks import set_boxes

DATA = b"- [ ] T001 a\n- [x] T002 b\n- [~] T003 c\n"
FILE = read_tasks(DATA)


def test_only_the_box_is_written() -> None:
    assert set_boxes(DATA, FILE, FILE.tasks[:1], "X", expected=Mark.OPEN) == DATA.replace(b"[ ]", b"[X]")


def test_a_box_that_says_so_already_stays() -> None:
    assert set_boxes(DATA, FILE, FILE.tasks[1:2], "X", expected=Mark.OPEN) == DATA


def test_a_task_set_aside_is_not_ticked() -> None:
    with pytest.raises(SpecUnreadable, match=r"Line 3: the box of T003 is now set_aside"):
        set_boxes(DATA, FILE, FILE.tasks[2:], "x", expected=Mark.OPEN)


@pytest.mark.parametrize("mark", ["", "xx", "é", "\n", "]"])
def test_only_marks_are_written(mark: str) -> None:
    with pytest.raises(SpecUnreadable, match="is not a mark"):
        set_boxes(DATA, FILE, FILE.tasks, mark, expected=Mark.OPEN)


def test_no_task_means_no_change() -> None:
    assert set_boxes(DATA, FILE, [], "x", expected=Mark.OPEN) == DATA
