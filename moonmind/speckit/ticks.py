"""Writes boxes back into tasks.md, byte for byte."""

from collections.abc import Iterable

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks import Mark, SpecTask, TasksFile

_WRITABLE = frozenset(" xX~-/")


def set_boxes(data: bytes, present: TasksFile, tasks: Iterable[SpecTask], mark: str, *, expected: Mark) -> bytes:
    """Write a mark into the boxes of tasks; `present` is what `data` says now.

    A box that already says what the mark means stays as it is.
    """
    if mark not in _WRITABLE:
        raise SpecUnreadable(f"{mark!r} is no mark for a box; use one of ' ', x, X, ~, -, /.")
    by_key = {task.key: task for task in present.tasks}
    changed = bytearray(data)
    for task in tasks:
        now = by_key.get(task.key)
        if now is None or now.box_offset != task.box_offset or now.text != task.text:
            raise SpecUnreadable(f"Line {task.line} no longer holds {task.id}: the file changed.", line=task.line)
        if now.mark is not expected:
            if now.mark is _meaning(mark):
                continue
            raise SpecUnreadable(f"Line {task.line}: the box of {task.id} is now {now.mark}.", line=task.line)
        changed[now.box_offset : now.box_offset + 1] = mark.encode()
    return bytes(changed)


def _meaning(mark: str) -> Mark:
    if mark == " ":
        return Mark.OPEN
    return Mark.DONE if mark in "xX" else Mark.SET_ASIDE
