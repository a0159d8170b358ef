"""A person's choice among the open tasks: a phase, a story, single tasks or ranges of ids, and tasks to leave out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from moonmind.errors import InvalidRequest
from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.spec_tasks import Phase, SpecTask, TasksFile
from moonmind.speckit.task_line import ID

_STORY = lazy_pattern(r"(?:US)?-?(\d{1,3}[a-z]?)", re.IGNORECASE)
_PHASE_WORDS = r"(?:phase|fase|étape|etapa|этап|фаза|阶段|階段|フェーズ)"
_PHASE_NUMBER = lazy_pattern(rf"{_PHASE_WORDS}?[ ]?(\d{{1,3}}(?:\.\d{{1,3}})?[a-z]?)")
_TITLE_NUMBER = lazy_pattern(rf"[^\w\[]{{0,12}}{_PHASE_WORDS}[ ]?(\d{{1,3}}(?:\.\d{{1,3}})?[a-z]?)(?![\w.])")
_SHOWN = 20
_RANGE = lazy_pattern(rf"({ID.pattern})\s*(?:-|–|—|\.\.)\s*({ID.pattern})")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for; empty: everything."""

    story: str | None = None
    """`US1`."""
    ids: tuple[str, ...] = ()
    ranges: tuple[tuple[str, str], ...] = field(default=())
    """From one id to another, both included, in the file's order."""
    phase: str | None = None
    """A phase's title, its number, or a part of its title, as it was typed."""
    skipped_ids: tuple[str, ...] = ()
    """Tasks that are left out."""
    skipped_ranges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(
        cls,
        story: str | None = None,
        tasks: Iterable[str] = (),
        *,
        phase: str | None = None,
        skip: Iterable[str] = (),
    ) -> Self:
        """Read what a person typed: a story such as `US1` or `1`, tasks such as `T012`, `T001-T010`, `T1,T2`.

        A phase is its title, its number, or a part of the title that no other phase has; tasks to skip are written like
        tasks. Raises InvalidRequest for what is none of these.
        """
        ids, ranges = _read_tasks(tasks)
        skipped_ids, skipped_ranges = _read_tasks(skip)
        named = _STORY.fullmatch(story.strip()) if story is not None else None
        if story is not None and named is None:
            raise InvalidRequest(f"{story!r} names no story", remediation="Write a story such as US1.")
        if phase is not None and not phase.strip():
            raise InvalidRequest("the phase is empty", remediation="Write a phase such as 3, or its title.")
        return cls(f"US{named[1]}" if named else None, ids, ranges, phase, skipped_ids, skipped_ranges)

    @property
    def is_all(self) -> bool:
        """Return True if the selection includes every task."""
        return self == type(self)()

    @property
    def lists_tasks(self) -> bool:
        """Return True if tasks are listed by their ids, or in ranges of them."""
        return bool(self.ids or self.ranges)

    @property
    def names_tasks(self) -> bool:
        """Return True if phase or tasks are named: whoever names them has looked at them."""
        return self.phase is not None or self.lists_tasks

    def of(self, file: TasksFile) -> frozenset[str]:
        """Return the keys of the selected tasks, done ones included.

        Raises InvalidRequest for a story, a phase or an id that the file lacks.
        """
        if self.story is not None and not any(_is_of(task, self.story) for task in file.tasks):
            raise InvalidRequest(
                f"there is no story {self.story}; {_stories(file)}", remediation="Name a story that the tasks carry."
            )
        within = {task.key for task in phase_of(file, self.phase).tasks} if self.phase is not None else None
        skipped = {task.key for task in _meant(file, self.skipped_ids, self.skipped_ranges)}
        meant = _meant(file, self.ids, self.ranges) if self.lists_tasks else list(file.tasks)
        return frozenset(
            task.key
            for task in meant
            if (self.story is None or _is_of(task, self.story))
            and (within is None or task.key in within)
            and task.key not in skipped
        )

    def names(self, task: SpecTask) -> bool:
        """Return True if a task is named by its own id."""
        return task.id in self.ids


EVERYTHING = Selection()


def phase_of(file: TasksFile, named: str) -> Phase:
    """Find the one phase that a person named; raises InvalidRequest, listing the phases there are."""
    asked = _plain(named)
    number = _PHASE_NUMBER.fullmatch(asked)
    titles = {phase: _plain(phase.title) for phase in file.phases}
    exact = [phase for phase, title in titles.items() if title == asked]
    numbered = [phase for phase, title in titles.items() if number and _number_of(title) == number[1]]
    found = exact or numbered or [phase for phase, title in titles.items() if asked in title]
    if len(found) == 1:
        return found[0]
    shown = "; ".join(phase.title for phase in (found or file.phases)[:_SHOWN])
    raise InvalidRequest(
        f"{named!r} fits {len(found)} phases: {shown}" if found else f"there is no phase {named!r}; phases: {shown}",
        remediation="Write the phase's number, or its title as it stands in the file.",
    )


def _number_of(title: str) -> str | None:
    found = _TITLE_NUMBER.match(title)
    return found[1] if found else None


def _plain(words: str) -> str:
    return " ".join(words.split()).casefold()


def _read_tasks(written: Iterable[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    ids: list[str] = []
    ranges: list[tuple[str, str]] = []
    for text in (part.strip() for words in written for part in words.split(",") if part.strip()):
        if ID.fullmatch(text):
            ids.append(text)
        elif found := _RANGE.fullmatch(text):
            ranges.append((found[1], found[2]))
        else:
            raise InvalidRequest(
                f"{text!r} names no task", remediation="Write an id such as T012, or a range such as T001-T010."
            )
    return tuple(ids), tuple(ranges)


def _meant(file: TasksFile, ids: Iterable[str], ranges: Iterable[tuple[str, str]]) -> list[SpecTask]:
    meant = [task for wanted in ids for task in _named(file, wanted)]
    for first, last in ranges:
        begin, end = _named(file, first)[0].line, _named(file, last)[-1].line
        if begin > end:
            raise InvalidRequest(
                f"{last} stands before {first} in the file", remediation="Name the earlier task first."
            )
        meant.extend(task for task in file.tasks if begin <= task.line <= end)
    return meant


def _named(file: TasksFile, wanted: str) -> list[SpecTask]:
    found = [task for task in file.tasks if task.id == wanted]
    if not found:
        ids = [task.id for task in file.tasks if task.id]
        there = f"the tasks go from {ids[0]} to {ids[-1]}" if ids else "no task has an id"
        raise InvalidRequest(
            f"there is no task {wanted}; {there}", remediation="Write an id as it stands in the feature's tasks.md."
        )
    return found


def _stories(file: TasksFile) -> str:
    known = list(dict.fromkeys(story.upper() for task in file.tasks for story in _stories_of(task)))
    return f"stories: {', '.join(known[:_SHOWN])}" if known else "no task carries one"


def _is_of(task: SpecTask, story: str) -> bool:
    return story.casefold() in _stories_of(task)


def _stories_of(task: SpecTask) -> list[str]:
    if task.story is None:
        return []
    return [part.strip().replace("-", "").casefold() for part in re.split(r"[,/&+]", task.story)]
