"""What a tasks.md holds, as values: spec tasks, the phases they stand in, the file."""

from dataclasses import dataclass, field
from enum import StrEnum

NO_BOX = -1
"""The offset of a box that is not there."""


LOOKED_AT = 2_000
"""Characters of a task or heading in which words are looked for: a hostile file has lines of any length."""
VERIFY = "verify"
"""The kind of reason of a task that only looks whether something holds."""
NO_BOX_KIND = "no box"
"""The kind of reason of a task that has no box to tick."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an open task is not handed to an agent."""

    kind: str
    """`manual`, `skipped`, `approval`, `deploy`, `git`, `verify`, ...: all are in docs/speckit.md."""
    words: str = ""
    """The words of the task, or of a heading above it, that say so."""

    def __str__(self) -> str:
        """Write it for people: `skipped: "(skipped"`."""
        return f'{self.kind}: "{self.words}"' if self.words else self.kind


class Mark(StrEnum):
    """What the box of a spec task says."""

    OPEN = "open"
    """`[ ]`: still to be done."""
    DONE = "done"
    """`[x]` or `[X]`."""
    SET_ASIDE = "set_aside"
    """`[~]`, `[-]`, `[/]` or struck through: neither to be done nor done."""


@dataclass(frozen=True, slots=True)
class SpecTask:
    """One line of tasks.md that asks for work."""

    id: str
    """As written (`T012`, `T011b`), or `L<line>` in a file without ids."""
    line: int
    """1-based."""
    mark: Mark
    text: str
    """The description without id and labels, on one line."""
    box_offset: int
    """Byte offset of the mark character in the file's original bytes; NO_BOX where there is none to write into."""
    story: str | None = None
    """`US1`."""
    parallel: bool = False
    paths: tuple[str, ...] = ()
    """Files and folders that the text names: posix, relative, without `..`."""
    reasons: tuple[Reason, ...] = ()
    """Why no agent is given the task while it is open, each kind once."""
    depends_on: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the kinds of the reasons."""
        return tuple(reason.kind for reason in self.reasons)

    @property
    def key(self) -> str:
        """Name the task uniquely: ids repeat in real files, lines do not."""
        return f"{self.line}:{self.id}"

    @property
    def pending(self) -> bool:
        """Return True if the box is open; flagged tasks are pending too."""
        return self.mark is Mark.OPEN


@dataclass(frozen=True, slots=True)
class Phase:
    """A heading of tasks.md and the spec tasks under it; never empty."""

    title: str
    line: int
    """1-based line of the heading; the first task's line when there is none."""
    tasks: tuple[SpecTask, ...]
    purpose: str | None = None
    checkpoint: str | None = None
    independent_test: str | None = None

    @property
    def total(self) -> int:
        """Count the spec tasks, those set aside included."""
        return len(self.tasks)

    @property
    def completed(self) -> int:
        """Count the ticked boxes."""
        return sum(task.mark is Mark.DONE for task in self.tasks)

    @property
    def pending(self) -> tuple[SpecTask, ...]:
        """List the open tasks in document order, flagged ones included."""
        return tuple(task for task in self.tasks if task.pending)


@dataclass(frozen=True)
class TasksFile:
    """A tasks.md that was read with certainty."""

    phases: tuple[Phase, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def tasks(self) -> tuple[SpecTask, ...]:
        """List every spec task in document order."""
        return tuple(task for phase in self.phases for task in phase.tasks)

    @property
    def total(self) -> int:
        """Count the spec tasks, those set aside included."""
        return sum(phase.total for phase in self.phases)

    @property
    def completed(self) -> int:
        """Count the ticked boxes."""
        return sum(phase.completed for phase in self.phases)

    @property
    def all_complete(self) -> bool:
        """Return True if no task is left to do; a file without tasks is never complete."""
        return self.total > 0 and self.next_phase is None

    @property
    def next_phase(self) -> Phase | None:
        """Find the first phase, in document order, with an open task."""
        return next((phase for phase in self.phases if phase.pending), None)
