"""What would show that a spec task is done, and what the agent says is done."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moonmind.errors import SpecUnreadable
from moonmind.speckit.task_line import ID
from moonmind.speckit.tasks import Mark, SpecTask, TasksFile
from moonmind.speckit.tasks_md import read_tasks

_TEST_FOLDERS = frozenset({"__tests__", "e2e", "spec", "test", "tests"})
_TEST_NAME = re.compile(r"(?:^|[._-])tests?(?:[._-]|$)|[._-]spec(?=[._-])|[a-z]Tests?(?=\.)")

_LARGEST_REPORT = 1 << 20
_LONGEST_LINE = 2_000
_RANGE = re.compile(r"[ ]?(?:-|–|—|\.\.|to|through)[ ]?")
_STATUS = re.compile(
    r"(?P<done>\b(?:done|completed?|finished|implemented|added|created|fixed)\b|[✓✔✅☑]|\[[xX]\])"
    r"|(?P<denied>\b(?:not|never|cannot|can't|couldn't|didn't|isn't|skipped|blocked|deferred|failed|fails|pending|todo|unable"
    r"|in progress|started|remaining)\b|[❌✗✘⏳]|\[ \])",
    re.IGNORECASE,
)
_LIMITED = re.compile(
    r"\b(?:partial|partially|partly|incomplete|unfinished|stubbed|not (?:yet )?(?:done|finished|complete))",
    re.IGNORECASE,
)
_TASK = re.compile(r"\btask ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where to look for a task's effect."""

    task_id: str
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    """Those of `paths` that look like tests."""


def evidence_of(task: SpecTask) -> Evidence:
    """Name the paths that would prove the task; none when its text names nothing that can be looked at."""
    return Evidence(task.id, task.paths, tuple(path for path in task.paths if is_test(path)))


def is_test(path: str) -> bool:
    """Tell whether a path looks like a test, by its folders or its name, in the common languages' habits."""
    folders, _, name = path.rpartition("/")
    return not _TEST_FOLDERS.isdisjoint(folders.casefold().split("/")) or _TEST_NAME.search(name) is not None


def claims(before: TasksFile, after_bytes: bytes | None, report: str) -> frozenset[str]:
    """Collect the ids of open tasks that the agent says it did: boxes it ticked, and lines such as "T012: done".

    A claim proves nothing; it only lets a task that names nothing checkable be attested. Never raises: what cannot be
    read claims nothing.
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


def _reported(report: str) -> Iterator[str]:
    denied: set[str] = set()
    claimed: dict[str, None] = {}
    for whole in report[:_LARGEST_REPORT].splitlines():
        line = _TASK.sub("", whole[:_LONGEST_LINE], count=1)
        lead = _first_id(line)
        status = _STATUS.search(line[: lead.start()] + line[lead.end() :]) if lead else None
        if lead is None or status is None:
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
