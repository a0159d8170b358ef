"""What a run has to do next in a feature: one phase, and the tasks in it that an agent may take."""

from dataclasses import dataclass

from moonmind.speckit.features import Feature
from moonmind.speckit.selection import Selection
from moonmind.speckit.spec_tasks import Phase, SpecTask, TasksFile

EVERYTHING = Selection()
SHOWN_IDS = 20
"""Ids spelled out in a sentence before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Work:
    """The next phase with tasks an agent may take."""

    feature: Feature
    phase: Phase
    tasks: tuple[SpecTask, ...]
    """Open and not flagged, in document order; never empty."""
    left_for_people: tuple[SpecTask, ...] = ()
    """Open and flagged: of this phase and of the phases passed over."""
    passed_over: tuple[str, ...] = ()
    """One sentence for each earlier phase that holds open tasks for people only."""


@dataclass(frozen=True, slots=True)
class NoWork:
    """No task is left for an agent, and why."""

    reason: str
    left_for_people: tuple[SpecTask, ...] = ()


def next_work(feature: Feature, tasks_file: TasksFile, selection: Selection = EVERYTHING) -> Work | NoWork:
    """Find the first phase with an open task that is selected and that no word reserves for a person."""
    left: list[SpecTask] = []
    passed_over: list[str] = []
    meant = selection.of(tasks_file)
    for phase in tasks_file.phases:
        pending = [task for task in phase.pending if task.key in meant]
        flagged = tuple(task for task in pending if task.flags)
        free = tuple(task for task in pending if not task.flags)
        left.extend(flagged)
        if free:
            return Work(feature, phase, free, tuple(left), tuple(passed_over))
        if flagged:
            passed_over.append(f"{phase.title} has only tasks for people left: {ids_of(flagged)}.")
    if left:
        return NoWork(f"Only tasks for people are left in {feature.path}: {ids_of(left)}.", tuple(left))
    if not selection.is_all:
        return NoWork(f"None of the {len(meant)} selected tasks of {feature.path} is open.")
    aside = tasks_file.total - tasks_file.completed
    if aside:
        return NoWork(
            f"{tasks_file.completed} of {tasks_file.total} tasks of {feature.path} are done; {aside} set aside."
        )
    return NoWork(f"All {tasks_file.total} tasks of {feature.path} are done.")


def ids_of(tasks: tuple[SpecTask, ...] | list[SpecTask]) -> str:
    """Write the ids for a sentence, each with its flags; long lists are cut and say so."""
    shown = [f"{task.id} ({', '.join(task.flags)})" if task.flags else task.id for task in tasks[:SHOWN_IDS]]
    more = len(tasks) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
