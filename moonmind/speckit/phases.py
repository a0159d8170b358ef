"""Which heading a line of tasks.md stands under: a phase, a plain section, or prose that lists no work."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from moonmind.speckit.blocks import Heading, Line
from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.people_tasks import is_closing, is_search
from moonmind.speckit.spec_tasks import Reason
from moonmind.speckit.task_marks import marks_in_heading

_WORDS = r"phases?|fase|phasen?|étape|etapa|этап|фаза|阶段|階段|フェーズ|단계|giai đoạn|aşama|faz"
_NUMBER = r"[ ]*(?:[:：—–.-]|\d|[A-Z]{1,4}\d{0,3}[a-z]?\b|\[|[一二三四五六七八九十]|(?i:one|two|three|four|five|six|seven|eight)\b|$)"
_PHASE = lazy_pattern(
    rf"[^\w\[]{{0,12}}(?:\[.\][ ]*)?(?:(?i:final|última|последний)[ ]+)?(?i:{_WORDS}){_NUMBER}"
    r"|[^\w\[]{0,12}(?:第[ ]?\S{1,3}[ ]?(?:阶段|階段|フェーズ)|\d{1,2}[ ]?(?:단계|단계:))"
)
_ILLUSTRATION = lazy_pattern(r"\W*(?:task )?(?:format|legend|path convention|execution flow|notation)", re.IGNORECASE)
_PROSE = lazy_pattern(
    r"\W*(?:task )?(?:dependenc|parallel|implementation strategy|test(?:ing)? strategy|notes?\b|summary|overview|example"
    r"|execution order|progress|validation checklist|phase dependenc|user story dependenc|within each)",
    re.IGNORECASE,
)
_CHECKLIST = lazy_pattern(
    r"checklist|acceptance|criteria|definition of done|done when|exit|validation|gate\b|quality|success|risk|requirements?\b",
    re.IGNORECASE,
)
_BOLD_LINE = lazy_pattern(r"[ ]{0,3}\*\*([^*]{1,300})\*\*[ \t]*:?[ \t]*$")
_PLAIN_LINE = lazy_pattern(r"(?i:phase|fase|étape|etapa)[ ]\d{1,3}[a-z]?[ ]?[:：—–-][ ]?[^.]{1,110}$")
_FACT = lazy_pattern(
    r"[ \t>]*\*\*(purpose|goal|checkpoint|independent test)\b([^*]{0,60})\*\*[ \t]*:?[ \t]*(.*)", re.IGNORECASE
)
_FACT_ENDS = lazy_pattern(r"[ \t]*(?:$|[-*+#>|]|\d{1,9}[.)][ ]|`{3}|~{3})")
_FACT_NAMES = {
    "purpose": "purpose",
    "goal": "purpose",
    "checkpoint": "checkpoint",
    "independent test": "independent_test",
}

IMPLICIT = "Tasks"
"""The title of the one phase of a file without sections."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the headings above a line make of it."""

    owner: Heading | None
    """The phase, else the section of level two, else None."""
    is_phase: bool
    is_prose: bool
    """Under dependencies, strategy, notes and the like, where task lines repeat others."""
    is_illustration: bool
    """Under the format or legend, where task lines are samples."""
    is_checklist: bool
    """Under acceptance criteria and the like, where a box without id is no task."""
    reasons: tuple[Reason, ...] = ()
    """What the headings above say of all their tasks: `deferred`, `manual`, ..., each kind once."""
    is_search: bool = False
    """Under a spike or research, where finding out is the work."""
    is_closing: bool = False
    """Among the last checks of a feature."""


class Places:
    """Answers where a line stands, for one file."""

    __slots__ = ("_places", "_starts")

    def __init__(self, headings: Iterable[Heading]) -> None:
        self._starts = [0]
        self._places = [_place(())]
        for start, above in sections(headings):
            self._starts.append(start)
            self._places.append(_place(above))

    def at(self, number: int) -> Place:
        """Find the place of a 1-based line."""
        return self._places[bisect_right(self._starts, number) - 1]


def sections(headings: Iterable[Heading]) -> Iterator[tuple[int, tuple[Heading, ...]]]:
    """Yield from which line on which headings stand above, outermost first."""
    known = tuple(headings)
    tops = {heading for heading in known if heading.level == 1 and is_phase_title(heading.title)}
    above: tuple[Heading, ...] = ()
    for heading in known:
        if heading.level == 1 and (len(tops) < 2 or heading not in tops):
            continue  # a second title or a note of level one ends no phase
        above = (*(one for one in above if one.level < heading.level), heading)
        yield heading.number, above


def with_written_phases(headings: tuple[Heading, ...], lines: Iterable[Line]) -> tuple[Heading, ...]:
    """Take lines such as `**Phase 1: Setup**` for headings, in a file where no heading is a phase.

    Where there is none of these either, a plain line `Phase 1: Setup` that stands for itself is one.
    """
    if any(is_phase_title(heading.title) for heading in headings):
        return headings
    known = tuple(lines)
    written = [
        Heading(line.number, 4, found[1].strip().rstrip(":"))
        for line in known
        if (found := _BOLD_LINE.match(line.text)) and is_phase_title(found[1])
    ] or list(_plain_phases(known))
    return tuple(sorted((*headings, *written), key=lambda heading: heading.number))


def _plain_phases(lines: tuple[Line, ...]) -> Iterable[Heading]:
    before = ""
    for line in lines:
        if not before.strip() and _PLAIN_LINE.match(line.text) and is_phase_title(line.text):
            yield Heading(line.number, 4, line.text.strip().rstrip(":"))
        before = line.text


def is_phase_title(title: str) -> bool:
    """Return True for "Phase 2: ...", False for "Tests for Phase 2" and "Phase Dependencies"."""
    return _PHASE.match(title) is not None


def is_aside(above: Iterable[Heading]) -> bool:
    """Return True if below these headings task lines are samples, or repeat others."""
    return any(_PROSE.match(heading.title) or _ILLUSTRATION.match(heading.title) for heading in above)


def _place(above: Sequence[Heading]) -> Place:
    titles = [heading.title for heading in above]
    phase = next((heading for heading in reversed(above) if heading.level <= 4 and is_phase_title(heading.title)), None)
    section = next((heading for heading in above if heading.level == 2), None)
    return Place(
        owner=phase or section,
        is_phase=phase is not None,
        is_prose=any(_PROSE.match(title) for title in titles),
        is_illustration=any(_ILLUSTRATION.match(title) for title in titles),
        is_checklist=any(_CHECKLIST.search(title) for title in titles if not is_phase_title(title)),
        reasons=tuple({mark.kind: mark for title in reversed(titles) for mark in marks_in_heading(title)}.values()),
        is_search=any(is_search(title) for title in titles),
        is_closing=any(is_closing(title) for title in titles),
    )


@dataclass(slots=True)
class Facts:
    """What a phase says about itself; the first of each kind wins."""

    purpose: str | None = None
    checkpoint: str | None = None
    independent_test: str | None = None


def facts_by_owner(lines: Iterable[Line], places: Places) -> dict[int, Facts]:
    """Collect purpose, checkpoint and independent test by the line of the owning heading (0: none)."""
    found: dict[int, Facts] = {}
    words: list[str] | None = None
    target: tuple[int, str] = (0, "")
    for line in lines:
        fact = _FACT.match(line.text)
        if words is not None and (fact or line.text.lstrip().startswith("**") or _FACT_ENDS.match(line.text)):
            _keep(found, target, words)
            words = None
        if fact:
            owner = places.at(line.number).owner
            target = (owner.number if owner else 0, _FACT_NAMES[fact[1].casefold()])
            words = [fact[3]]
        elif words is not None:
            words.append(line.text)
    if words is not None:
        _keep(found, target, words)
    return found


def _keep(found: dict[int, Facts], target: tuple[int, str], words: list[str]) -> None:
    text = " ".join(word.strip() for word in words).strip()
    facts = found.setdefault(target[0], Facts())
    if text and getattr(facts, target[1]) is None:
        setattr(facts, target[1], text)
