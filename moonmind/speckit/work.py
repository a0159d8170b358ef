"""What a run has to do next in a feature: one phase, and the tasks in it that an agent may take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from moonmind.speckit.features import Feature
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import NO_BOX, VERIFY, Phase, SpecTask, TasksFile

__all__ = ["EVERYTHING", "SHOWN_IDS", "Division", "NoWork", "Work", "divided", "ids_of", "next_work"]

SHOWN_IDS = 20
"""Ids spelled out in a sentence before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Work:
    """The next phase with tasks an agent may take."""

    feature: Feature
    phase: Phase
    tasks: tuple[SpecTask, ...]
    """Open and an agent's, in document order; never empty."""
    left_for_people: tuple[SpecTask, ...] = ()
    """Open and not an agent's, with the reasons: of this phase and of the phases passed over."""
    passed_over: tuple[str, ...] = ()
    """One sentence for each earlier phase that holds no open task for an agent."""
    part: str = ""
    """Which part of the phase's open tasks these are, in words; empty: they are not divided."""

    @property
    def rest(self) -> tuple[SpecTask, ...]:
        """Return the phase's open tasks for other runs, where these are a part of it."""
        known = {task.key for task in (*self.tasks, *self.left_for_people)}
        return tuple(task for task in self.phase.pending if task.key not in known) if self.part else ()


@dataclass(frozen=True, slots=True)
class Division:
    """The most tasks that are handed out at once, 1 or more, and the name of the setting or option that says so."""

    most: int
    name: str


@dataclass(frozen=True, slots=True)
class NoWork:
    """No task is left for an agent, and why."""

    reason: str
    left_for_people: tuple[SpecTask, ...] = ()


def next_work(feature: Feature, tasks_file: TasksFile, selection: Selection = EVERYTHING) -> Work | NoWork:
    """Find the first phase with an open task that is selected and an agent's.

    A task that is selected by its own id is handed out whatever is said of it, if it has a box.
    """
    if selection.is_all and tasks_file.next_phase is None:
        return NoWork(_done(feature, tasks_file))
    left: list[SpecTask] = []
    passed_over: list[str] = []
    meant = selection.of(tasks_file)
    for phase in tasks_file.phases:
        pending = [task for task in phase.pending if task.key in meant]
        free = tuple(
            task for task in pending if not task.reasons or (selection.names(task) and task.box_offset != NO_BOX)
        )
        flagged = tuple(task for task in pending if task not in free)
        left.extend(flagged)
        if free:
            return Work(feature, phase, free, tuple(left), tuple(passed_over))
        if flagged:
            passed_over.append(f"{phase.title} has only {_whose(flagged)} left: {ids_of(flagged)}.")
    if left:
        whose = _whose(left)
        return NoWork(f"Only {whose} are left in {feature.path}: {ids_of(left)}.", tuple(left))
    said = "No selected task of {} is open." if meant else "The selection leaves no task of {}."
    return NoWork(said.format(feature.path))


def _done(feature: Feature, tasks_file: TasksFile) -> str:
    aside = tasks_file.total - tasks_file.completed
    if aside:
        return f"{tasks_file.completed} of {tasks_file.total} tasks of {feature.path} are done; {aside} set aside."
    return f"All {tasks_file.total} tasks of {feature.path} are done."


def divided(work: Work, division: Division | None) -> Work:
    """Return the first part of work of too many tasks, cut before a story where one begins in time; None: all.

    A part of less than half the most is none worth a run of its own: then a story is cut between two tasks.
    """
    if division is None or len(work.tasks) <= division.most:
        return work
    least = (division.most + 1) // 2
    borders = [at for at in range(least, division.most + 1) if work.tasks[at].story != work.tasks[at - 1].story]
    tasks = work.tasks[: borders[-1] if borders else division.most]
    of = f"{len(tasks)} of {len(work.tasks)} open tasks of {work.phase.title}"
    return replace(work, tasks=tasks, part=f"{of}, divided because {division.name} is {division.most}")


def _whose(tasks: Sequence[SpecTask]) -> str:
    checks = sum(task.flags == (VERIFY,) for task in tasks)
    if not checks:
        return "tasks for people"
    return "tasks that verify" if checks == len(tasks) else "tasks for people or that verify"


def ids_of(tasks: tuple[SpecTask, ...] | list[SpecTask]) -> str:
    """Write the ids for a sentence, each with the reasons that keep it from an agent; long lists are cut and say so."""
    shown = [f"{task.id} ({', '.join(task.flags)})" if task.flags else task.id for task in tasks[:SHOWN_IDS]]
    more = len(tasks) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
