"""Writes boxes back into tasks.md, byte for byte."""

from collections.abc import Iterable

from moonmind.errors import SpecUnreadable
from moonmind.speckit.spec_tasks import NO_BOX, Mark, SpecTask, TasksFile

_WRITABLE = frozenset(" xX~-/✓✔✅☑")
_LONGEST_MARK = 16
"""Bytes: a mark may be a sign with a selector behind it."""


def set_boxes(data: bytes, present: TasksFile, tasks: Iterable[SpecTask], mark: str, *, expected: Mark) -> bytes:
    """Write a mark into the boxes of tasks; `present` is what `data` says now.

    A box that already says what the mark means stays as it is.
    """
    if mark.removesuffix("\ufe0f") not in _WRITABLE:
        raise SpecUnreadable(f"{mark!r} is not a mark for a box; use one of ' ', x, X, ~, -, /, ✓, ✔, ✅, ☑.")
    by_key = {task.key: task for task in present.tasks}
    changed = bytearray(data)
    # From the end: a mark of several bytes moves what stands behind it.
    for task in sorted(tasks, key=lambda one: one.box_offset, reverse=True):
        now = by_key.get(task.key)
        if now is None or now.box_offset != task.box_offset or now.text != task.text:
            raise SpecUnreadable(f"Line {task.line} no longer holds {task.id}: the file changed.", line=task.line)
        if now.box_offset == NO_BOX:
            raise SpecUnreadable(
                f"Line {task.line}: {task.id} has no box; write `- [ ]` before the id.", line=task.line
            )
        if now.mark is not expected:
            if now.mark is _meaning(mark):
                continue
            raise SpecUnreadable(f"Line {task.line}: the box of {task.id} is now {now.mark}.", line=task.line)
        changed[now.box_offset : now.box_offset + len(mark_in(data, now))] = mark.encode()
    return bytes(changed)


def mark_in(data: bytes, task: SpecTask) -> bytes:
    """Return the bytes inside a task's box."""
    end = data.index(b"]", task.box_offset, task.box_offset + _LONGEST_MARK)
    return data[task.box_offset : end]


def _meaning(mark: str) -> Mark:
    if mark == " ":
        return Mark.OPEN
    return Mark.SET_ASIDE if mark in "~-/" else Mark.DONE
