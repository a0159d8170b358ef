"""What would show that a spec task is done, and what the agent says is done."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moonmind.errors import SpecUnreadable
from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.spec_tasks import Mark, TasksFile
from moonmind.speckit.targets import split
from moonmind.speckit.task_line import ID
from moonmind.speckit.tasks_md import read_tasks

_TEST_FOLDERS = frozenset({"__tests__", "e2e", "spec", "test", "tests"})
_TEST_NAME = lazy_pattern(r"(?:^|[._-])tests?(?:[._-]|$)|[._-]spec(?=[._-])|[a-z]Tests?(?=\.)")

_LARGEST_REPORT = 1 << 20
_LONGEST_LINE = 2_000
_RANGE = lazy_pattern(r"[ ]?(?:-|–|—|\.\.|to|through)[ ]?")
_STATUS = lazy_pattern(
    r"(?P<done>\b(?:done|completed?|finished|implemented|added|created|fixed)\b|[✓✔✅☑]|\[[xX]\])"
    r"|(?P<denied>\b(?:not|never|cannot|can't|couldn't|didn't|isn't|skipped|blocked|deferred|failed|fails|pending|todo|unable"
    r"|in progress|started|remaining)\b|[❌✗✘⏳]|\[ \])",
    re.IGNORECASE,
)
_LIMITED = lazy_pattern(
    r"\b(?:partial|partially|partly|incomplete|unfinished|stubbed|not (?:yet )?(?:done|finished|complete))",
    re.IGNORECASE,
)
_NOT_DONE = lazy_pattern(
    r"[\s*`_\])]{0,6}(?:[:：–—-]{1,2}|is\b|was\b)?[\s*`_]{0,4}(?:not\b|cannot\b|can't\b|could not\b|couldn't\b|unable\b|skipped\b|blocked\b|deferred\b"
    r"|incomplete\b|unfinished\b|partial(?:ly)?\b|failed\b|pending\b|❌|✗|✘)",
    re.IGNORECASE,
)
_TASK = lazy_pattern(r"\btask ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where to look for a task's effect."""

    task_id: str
    targets: tuple[str, ...]
    """Paths that the task asks to change, each of them."""
    references: tuple[str, ...]
    """Paths that it points to: they have to exist."""
    removals: tuple[str, ...]
    """Those of `targets` that the task lets go."""
    gone: tuple[str, ...]
    """Those of `removals` that have to be gone."""


def evidence_of(task_id: str, text: str, feature: str = "") -> Evidence:
    """Name the paths that would show the task's effect; none when its text names nothing that can be looked at.

    `feature` is the feature's folder, whose files are references.
    """
    found = split(text, feature)
    return Evidence(task_id, found.targets, found.references, found.removals, found.gone)


def is_test(path: str) -> bool:
    """Return True if a path looks like a test, by its folders or its name, in the common languages' habits."""
    folders, _, name = path.rpartition("/")
    return not _TEST_FOLDERS.isdisjoint(folders.casefold().split("/")) or _TEST_NAME.search(name) is not None


def claims(before: TasksFile, after_bytes: bytes | None, report: str) -> frozenset[str]:
    """Collect the ids of open tasks that the agent says it did: boxes it ticked, and lines such as "T012: done".

    A claim shows nothing by itself; it only lets a task that names nothing checkable be `claimed`. Never raises: what
    cannot be read claims nothing.
    """
    open_ids = {task.id for task in before.tasks if task.pending}
    return frozenset((_ticked(before, after_bytes) | set(_reported(report))) & open_ids)


def _ticked(before: TasksFile, after_bytes: bytes | None) -> set[str]:
    if after_bytes is None:
        return set()
    try:
        after = read_tasks(after_bytes)
    except SpecUnreadable:
        return set()
    was_done = {(task.id, task.text) for task in before.tasks if task.mark is Mark.DONE}
    return {task.id for task in after.tasks if task.mark is Mark.DONE and (task.id, task.text) not in was_done}


def said_of(report: str) -> dict[str, str]:
    """Return what the agent's report says of each task: the words after its id, of every line that begins with it."""
    said: dict[str, str] = {}
    for line, lead in _lines(report):
        said[lead[0]] = f"{said.get(lead[0], '')} {line[lead.end() :]}".strip()
    return said


def denials(report: str) -> frozenset[str]:
    """Return the ids that the agent itself says are not done, in the first words of the last line on them."""
    last = {lead[0]: line[lead.end() :] for line, lead in _lines(report)}
    return frozenset(task_id for task_id, words in last.items() if _NOT_DONE.match(words))


def _lines(report: str) -> Iterator[tuple[str, re.Match[str]]]:
    for whole in report[:_LARGEST_REPORT].splitlines():
        line = _TASK.sub("", whole[:_LONGEST_LINE], count=1)
        if lead := _first_id(line):
            yield line, lead


def _reported(report: str) -> Iterator[str]:
    denied: set[str] = set()
    claimed: dict[str, None] = {}
    for line, lead in _lines(report):
        status = _STATUS.search(line[: lead.start()] + line[lead.end() :])
        if status is None:
            continue
        if status["denied"] or _LIMITED.search(line):
            denied.add(lead[0])
        else:
            claimed[lead[0]] = None
    yield from (task_id for task_id in claimed if task_id not in denied)


def _first_id(line: str) -> re.Match[str] | None:
    """Find the id that a line of a report is about: it leads the line, and is no range of several."""
    for position in range(min(len(line), 20)):
        if found := ID.match(line, position):
            ranged = _RANGE.match(line, found.end())
            return None if ranged and ID.match(line, ranged.end()) else found
        if line[position].isalpha() and line[position] not in "xX":
            return None
    return None
