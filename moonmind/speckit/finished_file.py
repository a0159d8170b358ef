"""A tasks.md that is certainly finished is counted, not parsed: most features of an old repository are.

What `read_tasks` would find is proven from the lines alone. Whatever would take a Markdown parser, or a rule about single
tasks, is not certain, and the file is read in full.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from moonmind.speckit.blocks import BOM, LARGEST, Heading
from moonmind.speckit.phases import is_aside, sections
from moonmind.speckit.spec_tasks import Mark, Phase, TasksFile
from moonmind.speckit.task_line import Fault, Item, read_item
from moonmind.speckit.tasks_md import is_task_family, read_tasks, task_of

_PLAIN = re.compile(r"- \[[xX]\] (T\d{1,6}[A-Za-z]?) ")
"""A ticked task as nearly all of them are written; every other line is for `read_item`."""
_WORDS = re.compile(r"(?:[-*+] )?(?![*`~_]*[A-Z]{1,3}[-\d])[*`~_]*[^\W\d_]")
"""A line of text, or a list item that begins neither with a box nor with an id."""
_HEADING = re.compile(r"(#{1,6})(?![^ \t])(.*)")
_FENCE = re.compile(r"```[^`]*")
_CONTAINERS = " \t>*+-0123456789.)"
"""All that may stand before the content of quotes and list items."""
_WIDEST = 16
"""Columns of these; the parser drops what is nested in more than twenty blocks, each at least a column wide."""
_REFUSED = ("\0", "<<<<<<<", ">>>>>>>", "|||||||", "[FEATURE NAME]")


class FinishedFile(TasksFile):
    """A tasks.md without an open task: its counts are known, the rest is read when it is asked for."""

    def __init__(self, total: int, completed: int, read: Callable[[], TasksFile]) -> None:
        """Take the counts, and what reads the file in full."""
        self._counts = total, completed
        self._read = read

    @cached_property
    def _whole(self) -> TasksFile:
        return self._read()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Return the phases, read in full."""
        return self._whole.phases

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the warnings, read in full."""
        return self._whole.warnings

    @property
    def total(self) -> int:
        """Count the spec tasks, those set aside included."""
        return self._counts[0]

    @property
    def completed(self) -> int:
        """Count the ticked boxes."""
        return self._counts[1]

    @property
    def next_phase(self) -> None:
        """Return None: no task is open."""
        return


class _Uncertain(Exception):
    """The lines alone do not say it."""


def read_or_count(data: bytes, *, name: str = "tasks.md") -> TasksFile:
    """Read a tasks.md as `read_tasks` does; one that is certainly finished is counted, and read when more is asked for."""
    counts = finished(data)
    return read_tasks(data, name=name) if counts is None else FinishedFile(*counts, lambda: read_tasks(data, name=name))


def finished(data: bytes) -> tuple[int, int] | None:
    """Return how many tasks `read_tasks` finds and how many of them are done, if it is certain that none is open."""
    try:
        return _count(_lines(data))
    except _Uncertain:
        return None


def _lines(data: bytes) -> list[str]:
    if len(data) > LARGEST:
        raise _Uncertain
    try:
        text = data.removeprefix(BOM).decode()
    except UnicodeDecodeError:
        raise _Uncertain from None
    if any(sign in text for sign in _REFUSED):
        raise _Uncertain
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _count(lines: list[str]) -> tuple[int, int]:
    headings: list[Heading] = []
    tasks: list[tuple[int, str]] = []
    aside = 0
    mentioned: list[str] = []
    previous = ""
    for number, line in _shown(lines):
        if not line:
            pass
        elif plain := _PLAIN.match(line):
            tasks.append((number, plain[1]))
        elif line[0] == "#" and (heading := _HEADING.match(line)):
            headings.append(_heading(number, heading))
        elif not _WORDS.match(line):
            _refuse_structure(line, previous)
            if item := read_item(line):
                if item.fault is Fault.NO_BOX:
                    mentioned.extend([item.id] if item.id and is_task_family(item.family) else [])
                elif task_id := _settled(item):
                    tasks.append((number, task_id))
                    aside += item.mark is Mark.SET_ASIDE
        previous = line
    known = {task_id for _, task_id in tasks}
    if not known.issuperset(mentioned):
        raise _Uncertain  # a task without a box, perhaps
    _refuse_headings(headings, [number for number, _ in tasks], known)
    return len(tasks), len(tasks) - aside


def _shown(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of front matter and fences, with their numbers."""
    start, fenced = _after_front_matter(lines), False
    for number, line in enumerate(lines[start:], start=start + 1):
        if "```" in line or "~~~" in line:
            # Any other than these two may be a fence in a list, or a longer one, or none.
            if line.rstrip(" \t") != "```" if fenced else not _FENCE.fullmatch(line):
                raise _Uncertain
            fenced = not fenced
        elif not fenced:
            yield number, line
    if fenced:
        raise _Uncertain


def _after_front_matter(lines: list[str]) -> int:
    """Return the index of the first line behind front matter; 0 where there is none."""
    if not lines[0].startswith("---"):
        return 0
    for position, line in enumerate(lines):
        if position and line == "---":
            return position + 1
        if line.startswith(("-", ".", " ", "\t")) and (position or line != "---"):
            break
    raise _Uncertain


def _heading(number: int, found: re.Match[str]) -> Heading:
    title = found[2].strip()
    if title.endswith("#"):
        raise _Uncertain  # they may belong to the title, or close it
    return Heading(number, len(found[1]), title)


def _refuse_structure(line: str, previous: str) -> None:
    """Raise _Uncertain for a line that may be a heading or hide others: in a list or a quote, underlined, HTML, deep down."""
    content = line.lstrip(_CONTAINERS)
    before = line[: len(line) - len(content)]
    if content.startswith("<") or (before and content.startswith("#")):
        raise _Uncertain
    if before.strip(" \t") and len(before.expandtabs(4)) > _WIDEST:
        raise _Uncertain
    if ("-" in before or "=" in content) and not content.strip(" \t=") and previous.strip(" \t"):
        raise _Uncertain


def _settled(item: Item) -> str | None:
    """Return the id of a task that is not open; None for a box without an id, which is no task where others have ids."""
    if item.id and (item.fault is not None or item.mark is Mark.OPEN or not is_task_family(item.family)):
        raise _Uncertain
    return item.id


def _refuse_headings(headings: list[Heading], tasks: list[int], known: set[str]) -> None:
    """Raise _Uncertain where headings are tasks, or say that the tasks below them may be none.

    Phases that are written without a `#` play no part: all they could do is end what is aside.
    """
    named = [task_id for heading in headings if (task_id := task_of(heading))]
    if len(named) * 2 >= len(tasks) or not known.isdisjoint(named):
        raise _Uncertain
    if any(is_aside(above) for above in _above(headings, tasks)):
        raise _Uncertain


def _above(headings: list[Heading], tasks: list[int]) -> Iterable[tuple[Heading, ...]]:
    """Yield the headings above each group of tasks."""
    first = len(tasks)
    for start, above in reversed(tuple(sections(headings))):
        begin = bisect_left(tasks, start)
        if begin < first:
            yield above
        first = begin
