"""Which open boxes may be ticked by what is there already: every file of the task exists, and does something.

A proposal is for a person: that a file is there does not show that it does what the task asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from moonmind.proof.substance import substance_of
from moonmind.speckit.feature import Feature
from moonmind.speckit.spec_tasks import NO_BOX, SpecTask, TasksFile
from moonmind.speckit.staleness import asks_for, places_of
from moonmind.speckit.tree import Tree
from moonmind.speckit.wording import asked_in

Read = Callable[[str], bytes | None]
"""Returns a file's content; None for one that is too large to look into, or no regular file."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class TickProposal:
    """An open task of which every file is there."""

    task: SpecTask
    files: tuple[str, ...]
    """As they are spelled in the tree; folders end with `/`."""

    @property
    def evidence(self) -> str:
        """Return in words what is there."""
        return f"{_some(self.files)} {'is' if len(self.files) == 1 else 'are'} there"


@dataclass(frozen=True, slots=True)
class TickDoubt:
    """An open task of which files are there, and why its box is not proposed."""

    task: SpecTask
    because: str


def tick_proposals(
    feature: Feature, file: TasksFile, tree: Tree, read: Read
) -> tuple[tuple[TickProposal, ...], tuple[TickDoubt, ...]]:
    """Look at the open tasks of a feature that ask for something new and name files; returns both in the file's order."""
    spelled = {path.casefold(): path for path in tree.paths}
    proposals: list[TickProposal] = []
    doubts: list[TickDoubt] = []
    for task in file.tasks:
        if not task.pending or task.reasons or task.box_offset == NO_BOX:
            continue
        places = places_of(task, feature, tree)
        found = tuple(spelled.get(place, f"{place}/") for place in places.values() if place)
        if not found:
            continue
        if missing := [path for path, place in places.items() if place is None]:
            doubts.append(TickDoubt(task, f"{_some(missing)} {'is' if len(missing) == 1 else 'are'} not there"))
        elif not asks_for(task):
            doubts.append(TickDoubt(task, "it asks to change what was there before, which a file does not show"))
        elif hollow := [words for path in found if (words := _hollow(path, task, read)) is not None]:
            doubts.append(TickDoubt(task, "; ".join(hollow[:_SHOWN])))
        else:
            proposals.append(TickProposal(task, found))
    unnamed = _not_alone(file, proposals)
    doubts += [TickDoubt(one.task, "its id stands on other open lines too") for one in proposals if one in unnamed]
    kept = tuple(one for one in proposals if one not in unnamed)
    return kept, tuple(sorted(doubts, key=lambda one: one.task.line))


def _not_alone(file: TasksFile, proposals: list[TickProposal]) -> list[TickProposal]:
    """List the proposals whose id names other open tasks too, that are not proposed: a person accepts by id."""
    keys = {one.task.key for one in proposals}
    others = {task.id for task in file.tasks if task.pending and task.key not in keys}
    return [one for one in proposals if one.task.id in others]


def _hollow(path: str, task: SpecTask, read: Read) -> str | None:
    """Return why a file does not count, in words; None where it does."""
    if path.endswith("/"):
        return None
    content = read(path)
    if content is None:
        return f"{path} is no file that can be looked into"
    found = substance_of(path, None, content)
    return None if found.counts(asked_in(task.text)) else f"{path} is {found.kind}"


def _some(paths: tuple[str, ...] | list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
