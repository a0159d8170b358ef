"""What holds of every tasks.md, whatever is in it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import SpecUnreadable
from moonmind.speckit.spec_tasks import NO_BOX
from moonmind.speckit.tasks_md import Mark, TasksFile, read_tasks, tick, untick
from moonmind.speckit.ticks import mark_in

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tasks_md"
EXPECTED: list[dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
SOURCES = [(FIXTURES / case["file"]).read_bytes() for case in EXPECTED]
LINES = sorted({line for source in SOURCES for line in source.splitlines(keepends=True)})


class Written(NamedTuple):
    """A task as a list is rendered from it."""

    id: str
    mark: str
    parallel: bool
    story: str | None
    words: str


WORDS = st.lists(
    st.sampled_from(["add", "the", "parser", "of", "src/app.py", "and", "its", "tests", "größe", "日本", "quickly"]),
    min_size=2,
    max_size=6,
)
TASK = st.builds(
    Written,
    st.just(""),
    st.sampled_from(" xX~"),
    st.booleans(),
    st.sampled_from([None, "US1", "US2"]),
    WORDS.map(" ".join),
)
PHASES = st.lists(st.lists(TASK, min_size=1, max_size=8), min_size=1, max_size=5)
ENDS = st.sampled_from(["\n", "\r\n"])


def numbered(phases: list[list[Written]]) -> list[list[Written]]:
    count = iter(range(1, 1000))
    return [[task._replace(id=f"T{next(count):03d}") for task in phase] for phase in phases]


def rendered(phases: list[list[Written]], end: str) -> bytes:
    lines = ["# Tasks: Something", ""]
    for number, phase in enumerate(phases, start=1):
        lines += [f"## Phase {number}: Part {number}", ""]
        for task in phase:
            labels = (" [P]" if task.parallel else "") + (f" [{task.story}]" if task.story else "")
            lines.append(f"- [{task.mark}] {task.id}{labels} {task.words}")
        lines += ["", "---", ""]
    return end.join(lines).encode()


def read(data: bytes) -> TasksFile | None:
    try:
        return read_tasks(data)
    except SpecUnreadable:
        return None


@given(PHASES.map(numbered), ENDS)
def test_a_rendered_list_reads_back_as_itself(phases: list[list[Written]], end: str) -> None:
    data = rendered(phases, end)
    found = read_tasks(data)
    assert [phase.title for phase in found.phases] == [f"Phase {n}: Part {n}" for n in range(1, len(phases) + 1)]
    back = [
        [Written(t.id, mark_in(data, t).decode(), t.parallel, t.story, t.text) for t in phase.tasks]
        for phase in found.phases
    ]
    assert back == phases


def boxes_come_back(data: bytes, *, every: int = 1) -> None:
    """Tick each open box (or every third, say) and open it again, and the other way round with the mark that stood there."""
    found = read(data)
    if found is None:
        return
    for task in found.tasks[::every]:
        if task.box_offset == NO_BOX:
            with pytest.raises(SpecUnreadable):
                tick(data, [task]) if task.pending else untick(data, task)
            continue
        if task.mark is Mark.OPEN:
            changed = tick(data, [task])
            assert [old for old, new in zip(data, changed, strict=True) if old != new] == [ord(" ")]
        elif task.mark is Mark.DONE:
            changed = untick(data, task)
        else:
            continue
        after = read(changed)
        assert after is not None
        (same,) = [one for one in after.tasks if one.line == task.line]
        if task.mark is Mark.OPEN:
            assert untick(changed, same) == data
        else:
            assert tick(changed, [same], mark_in(data, task).decode()) == data


@given(PHASES.map(numbered), ENDS)
def test_every_box_comes_back_to_the_byte(phases: list[list[Written]], end: str) -> None:
    # Each box costs two readings of the whole list.
    boxes_come_back(rendered(phases, end), every=1 + sum(map(len, phases)) // 6)


@pytest.mark.parametrize(
    "case", [case for case in EXPECTED if case["total"] and case["total"] <= 60], ids=lambda case: str(case["file"])
)
def test_boxes_all_over_a_real_file_come_back_to_the_byte(case: dict[str, Any]) -> None:
    # Each costs two readings of the whole file.
    boxes_come_back((FIXTURES / case["file"]).read_bytes(), every=1 + case["total"] // 10)


@pytest.mark.parametrize("mark", ["✓", "✔", "✔\ufe0f", "✅", "☑"])
def test_a_sign_of_several_bytes_is_a_box_like_any_other(mark: str) -> None:
    data = f"- [{mark}] T001 größe\n- [{mark}] T002 b\n- [ ] T003 c\n".encode()
    assert untick(data, read_tasks(data).tasks[0]) == f"- [ ] T001 größe\n- [{mark}] T002 b\n- [ ] T003 c\n".encode()
    boxes_come_back(data)


@given(st.lists(st.sampled_from(LINES), max_size=60).map(b"".join))
def test_lines_of_real_files_in_any_order_add_up(data: bytes) -> None:
    found = read(data)
    if found is not None:
        counts = [sum(task.mark is mark for task in found.tasks) for mark in Mark]
        assert sum(counts) == found.total > 0
        assert found.completed == counts[list(Mark).index(Mark.DONE)]
        assert found.all_complete == (counts[list(Mark).index(Mark.OPEN)] == 0)
        boxes_come_back(data)
