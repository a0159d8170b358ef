"""One line of tasks.md: is it a box, which id and labels does it carry, what does it say."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.spec_tasks import Mark

ID = lazy_pattern(
    r"(?:T[1-9]\d?-(?:0\d{1,3}|\d{3})(?!\d)|[A-Z]{1,3}(?:-[A-Z]{1,4})?-?\d{1,6}(?:\.\d{1,4}){0,3})(?:[A-Za-z](?![A-Za-z0-9])|['’])?"
    r"(?:-[A-Z]{1,6}(?![A-Za-z0-9]))?(?![A-Za-z0-9_])"
)
"""A task's id as 236 real files write it: T001 T011b T022-A T033-MIN T028' T231.15 T-001 T-AI-01 T1-001 M001. T10-11 is T10, and a range."""

_ITEM = lazy_pattern(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|[-*+](?=\[[ xX]\][ ]))")
"""A list item; `-[ ] T001` is meant to be one."""
_BOX = lazy_pattern(r"\[([^\[\]]{0,4})\](?![(\[])")
_OPENING = lazy_pattern(r"(?:\*{1,3}|~~|`|\[|_{1,2})*")
_SYMBOL = lazy_pattern(r"[^\w\s\x00-\x7f]{1,3}[ ]?")
"""A sign such as 🔴 before the id."""
_CLOSING = lazy_pattern(r"(?:\*{1,3}|~~|`|\]|_{1,2})*[:.)]?")
_BEFORE_BOX = lazy_pattern(r"(?:\*\*|`)?[ \t]*")
_SEPARATOR = lazy_pattern(r"^[:： \t]*(?:[-–—]+[ \t]+)?")
_LABEL = lazy_pattern(r"[\s*]*[\[【](?:(P)|(US-?\d{1,3}[a-z]?(?:\s?[,/&+]\s?US-?\d{1,3}[a-z]?)*))[\]】]")
_STRUCK = lazy_pattern(r"~~[^~]+~~[ \t]*(?:$|[—–(\[:*-])")
"""Struck as a whole; `~~Use A~~ Use B` is an edit, and still to be done."""
_PLACEHOLDER = lazy_pattern(r"[ \t]*[-*+][ \t]+\[ \][ \t]+[*`]{0,3}T(?:X{2,4}|N{2,4}|#{2,4})(?![A-Za-z0-9])")
_ABOUT_TASKS = lazy_pattern(
    ID.pattern
    + r"[*`\]]{0,4}[ ]*(?:[,/&+→⇒>(]|[-–—.]{1,2}[ ]?[A-Z]{0,3}-?\d|(?:and|or|to|through|can|may|must|should|depends?"
    r"|blocks?|requires?|needs?|before|after|then|is|are|has|was|were|in|from|with)\b)",
    re.IGNORECASE,
)
_NOT_TASKS = frozenset({"AC", "CHK", "FR", "NFR", "SC", "US"})
_DONE = frozenset("xX✓✔✅☑")
_SET_ASIDE = frozenset("~-/")


class Fault(StrEnum):
    """Why a line that means to be a box is none."""

    EMPTY_BOX = "its box is `[]`; write `[ ]`"
    ODD_SPACE = "its box contains a character other than a space; write `[ ]`"
    NO_BOX = "it has no box; write `- [ ]` before the id"


@dataclass(frozen=True, slots=True)
class Item:
    """A list item with a box, or one that carries a task's id."""

    mark: Mark
    column: int
    """Index of the mark character in the line; -1 when there is no box."""
    id: str | None
    text: str
    plain: str
    """The text as it is when the id turns out to be a mere word such as "S3"."""
    story: str | None
    parallel: bool
    fault: Fault | None = None
    odd_mark: str = ""
    """The mark, when its meaning is a guess."""

    @property
    def family(self) -> str:
        """Name the id's kind: `T` of T012, `T-AI` of T-AI-01."""
        return re.split(r"-?\d", self.id, maxsplit=1)[0] if self.id else ""


def read_item(line: str) -> Item | None:
    """Read a line as a box or an item with an id; None when it is neither."""
    bullet = _ITEM.match(line)
    if bullet is None:
        return None
    box = _BOX.match(line, bullet.end())
    if box is None:
        return _read_boxless(line, bullet.end())
    read = _read_mark(box[1])
    if read is None:
        return None
    mark, fault = read
    item = _read_words(line, box.end(), mark, box.start(1))
    odd = "" if box[1] in _DONE | _SET_ASIDE | {" "} else box[1]
    return replace(item, fault=fault, odd_mark=odd)


def is_placeholder(line: str) -> bool:
    """Return True if a line is a placeholder of Spec Kit's template: `- [ ] TXXX ...`."""
    return _PLACEHOLDER.match(line) is not None


def is_about_tasks(words: str) -> bool:
    """Return True for text about tasks ("T005-T009 can run in parallel"), False for a task ("T005 Create x")."""
    return _ABOUT_TASKS.match(words.lstrip("*`[")) is not None


def _read_mark(inside: str) -> tuple[Mark, Fault | None] | None:
    bare = inside.strip().rstrip("\ufe0f")
    if inside == " ":
        return Mark.OPEN, None
    if not bare:
        return Mark.OPEN, Fault.EMPTY_BOX if not inside.strip(" ") else Fault.ODD_SPACE
    if bare in _DONE:
        return Mark.DONE, None if len(inside) == 1 else Fault.ODD_SPACE if bare in "xX" else None
    if len(bare) > 1 or bare.isalnum():
        return None  # `[P]`, `[US1]`: a label
    return Mark.SET_ASIDE, None


def _read_boxless(line: str, start: int) -> Item | None:
    """Read `- **T001 [X]** text` and, as faulty, `- T001 text`."""
    opening = _OPENING.match(line, start)
    found = ID.match(line, opening.end() if opening else start)
    if found is None:
        return None
    after = _BEFORE_BOX.match(line, found.end())
    box = _BOX.match(line, after.end() if after else found.end())
    if box is None or box[1] not in {" ", "x", "X"}:
        return replace(_read_words(line, start, Mark.OPEN, -1), fault=Fault.NO_BOX)
    mark = Mark.OPEN if box[1] == " " else Mark.DONE
    without_box = line[: box.start()] + " " * (box.end() - box.start()) + line[box.end() :]
    return _read_words(without_box, start, mark, box.start(1))


def _read_words(line: str, start: int, mark: Mark, column: int) -> Item:
    position, parallel, story = _read_labels(line, start)
    while position < len(line) and line[position] in " \t":
        position += 1
    plain = line[position:].strip()
    symbol = _SYMBOL.match(line, position) if column >= 0 else None
    opening = _OPENING.match(line, symbol.end() if symbol else position)
    opened = opening[0] if opening else ""
    found = ID.match(line, opening.end() if opening else position)
    task_id = None
    if found is not None and not _is_requirement(found[0]):
        task_id = found[0]
        closing = _CLOSING.match(line, found.end())
        closed = closing[0] if closing else ""
        position, more, later = _read_labels(line, found.end() + len(closed))
        parallel, story = parallel or more, story or later
        text = line[position:].strip()
        if "**" in opened and "**" not in closed:
            text = text.replace("**", "", 1)
        if "~~" in opened and "~~" not in closed:
            text = text.replace("~~", "", 1)
        text = _SEPARATOR.sub("", text, count=1)
    else:
        text = plain
    if mark is Mark.OPEN and ("~~" in opened or _STRUCK.match(text)):
        mark = Mark.SET_ASIDE
    return Item(mark, column, task_id, text, plain, story, parallel)


def _read_labels(line: str, position: int) -> tuple[int, bool, str | None]:
    parallel, story = False, None
    while label := _LABEL.match(line, position):
        parallel = parallel or label[1] is not None
        story = story or label[2]
        position = label.end()
    return position, parallel, story


def _is_requirement(task_id: str) -> bool:
    return re.split(r"-?\d", task_id, maxsplit=1)[0].split("-")[0] in _NOT_TASKS
