"""What would show that a spec task is done, and what the agent says is done."""

from dataclasses import dataclass

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks import Mark, SpecTask, TasksFile
from moonmind.speckit.tasks_md import read_tasks


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where to look for a task's effect."""

    task_id: str
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    """Those of `paths` that look like tests."""


def evidence_of(task: SpecTask) -> Evidence:
    """Name the paths that would prove the task."""
    return Evidence(task.id, task.paths, tuple(path for path in task.paths if "test" in path))


def claims(before: TasksFile, after_bytes: bytes | None, report: str) -> frozenset[str]:
    """Collect the ids that the agent claims to have done; a claim proves nothing by itself."""
    del report
    try:
        after = read_tasks(after_bytes or b"")
    except SpecUnreadable:
        return frozenset()
    done = {task.id for task in after.tasks if task.mark is Mark.DONE}
    return frozenset(task.id for task in before.tasks if task.pending and task.id in done)
