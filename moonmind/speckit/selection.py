"""A person's choice among the open tasks: one story, single tasks, or a range of ids."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from moonmind.errors import InvalidRequest
from moonmind.speckit.spec_tasks import SpecTask, TasksFile
from moonmind.speckit.task_line import ID

_STORY = re.compile(r"(?:US)?-?(\d{1,3}[a-z]?)", re.IGNORECASE)
_RANGE = re.compile(rf"({ID.pattern})\s*(?:-|–|—|\.\.)\s*({ID.pattern})")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for; empty: everything."""

    story: str | None = None
    """`US1`."""
    ids: tuple[str, ...] = ()
    ranges: tuple[tuple[str, str], ...] = field(default=())
    """From one id to another, both included, in the file's order."""

    @classmethod
    def read(cls, story: str | None = None, tasks: Iterable[str] = ()) -> Self:
        """Read what a person typed: a story such as `US1` or `1`, tasks such as `T012`, `T001-T010`, `T1,T2`.

        Raises InvalidRequest for what is neither.
        """
        ids: list[str] = []
        ranges: list[tuple[str, str]] = []
        for text in (part.strip() for words in tasks for part in words.split(",") if part.strip()):
            if ID.fullmatch(text):
                ids.append(text)
            elif found := _RANGE.fullmatch(text):
                ranges.append((found[1], found[2]))
            else:
                raise InvalidRequest(
                    f"{text!r} names no task", remediation="Write an id such as T012, or a range such as T001-T010."
                )
        named = _STORY.fullmatch(story.strip()) if story is not None else None
        if story is not None and named is None:
            raise InvalidRequest(f"{story!r} names no story", remediation="Write a story such as US1.")
        return cls(f"US{named[1]}" if named else None, tuple(ids), tuple(ranges))

    @property
    def is_all(self) -> bool:
        """Return True if the selection includes every task."""
        return self.story is None and not self.ids and not self.ranges

    def of(self, file: TasksFile) -> frozenset[str]:
        """Return the keys of the selected tasks, done ones included. Raises InvalidRequest for an id that the file lacks."""
        return frozenset(task.key for task in self._meant(file) if self.story is None or _is_of(task, self.story))

    def _meant(self, file: TasksFile) -> list[SpecTask]:
        if not self.ids and not self.ranges:
            return list(file.tasks)
        meant = [task for wanted in self.ids for task in _named(file, wanted)]
        for first, last in self.ranges:
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
        raise InvalidRequest(f"there is no task {wanted}", remediation="`speckit status` shows the tasks there are.")
    return found


def _is_of(task: SpecTask, story: str) -> bool:
    if task.story is None:
        return False
    return story.casefold() in {part.strip().replace("-", "").casefold() for part in re.split(r"[,/&+]", task.story)}
