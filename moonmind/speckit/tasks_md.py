"""Reads and ticks tasks.md: the one place that knows what counts as a spec task."""

from collections.abc import Iterable

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks import Mark, Phase, SpecTask, TasksFile

__all__ = ["Mark", "Phase", "SpecTask", "TasksFile", "read_tasks", "tick", "untick"]


def read_tasks(data: bytes, *, name: str = "tasks.md") -> TasksFile:
    """Read a tasks.md, or refuse it with the reason and the line."""
    raise SpecUnreadable(f"{name} cannot be read yet ({len(data)} bytes).")


def tick(data: bytes, tasks: Iterable[SpecTask]) -> bytes:
    """Tick the boxes of these tasks and leave every other byte as it is."""
    raise SpecUnreadable(f"{len(list(tasks))} tasks cannot be ticked yet ({len(data)} bytes).")


def untick(data: bytes, task: SpecTask, mark: str = " ") -> bytes:
    """Put the mark back into a ticked box and leave every other byte as it is."""
    raise SpecUnreadable(f"{task.id} cannot be set to {mark!r} yet ({len(data)} bytes).")
