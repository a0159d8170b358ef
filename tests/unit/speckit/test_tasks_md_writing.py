import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks_md import Mark, SpecTask, TasksFile, read_tasks, tick, untick

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tasks_md"
EXPECTED: list[dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
READABLE = [case for case in EXPECTED if not case["must_refuse"] and not case["may_refuse"]]
REFUSED = [case for case in EXPECTED if case["must_refuse"]]


def name_of(case: dict[str, Any]) -> str:
    return str(case["file"])


def read(text: str) -> TasksFile:
    return read_tasks(text.encode())


def ids(tasks: tuple[SpecTask, ...]) -> list[str]:
    return [task.id for task in tasks]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark_are_kept(start: str, end: str) -> None:
    data = (start + end.join(["# Tâches", "- [ ] T001 é", "- [x] T002 b", "last line without end"])).encode()
    (first, _) = read_tasks(data).tasks
    assert tick(data, [first]) == data.replace(b"[ ]", b"[x]")


def test_ticking_follows_the_letter_that_the_file_uses() -> None:
    data = b"- [X] T001 a\n- [X] T002 a\n- [x] T003 a\n- [ ] T004 a\n"
    assert tick(data, read_tasks(data).tasks).endswith(b"- [X] T004 a\n")


def test_ticking_again_changes_nothing() -> None:
    data = b"- [ ] T001 a\n"
    tasks = read_tasks(data).tasks
    assert tick(tick(data, tasks), tasks) == tick(data, tasks) == b"- [x] T001 a\n"


def test_unticking_can_set_a_task_aside() -> None:
    data = b"- [x] T001 a\n"
    assert untick(data, read_tasks(data).tasks[0], "~") == b"- [~] T001 a\n"


@pytest.mark.parametrize(
    "changed",
    [b"\n- [ ] T001 a\n", b"- [ ] T009 a\n", b"-  [ ] T001 a\n", b"- [~] T001 a\n", b"- [ ] T001 other\n"],
    ids=["line", "id", "offset", "mark", "text"],
)
def test_a_file_that_changed_underneath_is_not_ticked(changed: bytes) -> None:
    tasks = read_tasks(b"- [ ] T001 a\n").tasks
    with pytest.raises(SpecUnreadable, match="T001"):
        tick(changed, tasks)


def test_a_mark_that_is_none_is_not_written() -> None:
    data = b"- [x] T001 a\n"
    with pytest.raises(SpecUnreadable, match="is not a mark"):
        untick(data, read_tasks(data).tasks[0], "oops")


PIECES = st.sampled_from(
    ["- [ ] T001 a", "- [x] T002 b", "  - [ ] c", "## Phase 1: A", "### Notes", "```", "~~~~", "<!--", "-->", "---", "", ">", "\t",
     "1. [X] **T003**", "- **T004 [ ]**", "- [] T005", "<<<<<<<", "- [~] ~~T006~~", "**Goal**: x", "===", "* * *", "[a]: b", "<div>"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=24).map("\n".join),
    st.lists(PIECES).map("\r\n".join),
)


@given(st.one_of(TEXTS.map(lambda text: text.encode(errors="surrogatepass")), st.binary()))
@example(b"\xff\xfe")
@example(b"- [ ] " + b"*" * 5000)
@example(b"> " * 3000 + b"- [ ] T001 a")
@example(b"- " * 3000 + b"[ ] T001 a")
def test_reading_any_bytes_gives_a_reading_or_a_refusal(data: bytes) -> None:
    try:
        found = read_tasks(data)
    except SpecUnreadable:
        return
    assert found.total > 0
    assert found.all_complete == (not any(task.mark is Mark.OPEN for task in found.tasks))


@given(st.lists(PIECES, max_size=24).map(lambda lines: "\n".join([*lines, "", "- [ ] T900 z"]).encode()), st.data())
def test_a_tick_changes_one_byte_per_task_and_untick_brings_it_back(data: bytes, draw: st.DataObject) -> None:
    try:
        pending = [task for task in read_tasks(data).tasks if task.mark is Mark.OPEN]
    except SpecUnreadable:
        return
    some = draw.draw(st.lists(st.sampled_from(pending), unique=True)) if pending else []
    ticked = tick(data, some)
    assert sum(old != new for old, new in zip(data, ticked, strict=True)) == len(some)
    for task in some:
        ticked = untick(ticked, task)
    assert ticked == data
