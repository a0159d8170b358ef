"""What an agent's last message says to people: of each task, of what it decided, and the rest. Hostile text, only bounded."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from moonmind.speckit.evidence import said_of
from moonmind.speckit.hidden import strip_hidden
from moonmind.speckit.lazy_pattern import lazy_pattern

LARGEST = 64_000
"""Characters of a message that are read: its end."""
LONGEST_LINE = 500
MOST_DECISIONS = 20
MOST_REMARKS = 12

_STATUS = (
    r"not[ ](?:yet[ ])?(?:done|finished|completed?|started|possible|applicable|implemented)|done|completed?|finished"
    r"|implemented|skipped|blocked|deferred|incomplete|unfinished|partial(?:ly[ ](?:done|completed?))?|failed|pending"
    r"|[✓✔✅☑❌✗✘⏳]\ufe0f?|\[[ xX]\]"
)
_LEAD = lazy_pattern(rf"[\s*`_\])]*[:：–—-]{{0,2}}[\s*`_]*(?:(?:{_STATUS})(?![\w-])[\s*_]*){{0,2}}", re.IGNORECASE)
_JOIN = lazy_pattern(r"(?:[:：–—;,.-]{1,2}|because\b|since\b|as\b(?=[ ](?:the|there|it)\b))\s*", re.IGNORECASE)
_BULLET = lazy_pattern(r"^[\s>]*(?:[-*+•]|\d{1,3}[.)])?\s*")
_LABEL = lazy_pattern(
    r"[*_`]*(?:key |design |main |my )?(?:decisions?|decided|assumptions?|choices?|trade-?offs?)(?: (?:made|taken|and assumptions))?[*_`]*\s*"
    r"[:：–—][*_`]*\s*",
    re.IGNORECASE,
)
_DECIDES = lazy_pattern(
    r"\b(?:I|we)(?:'ve| have)? (?:decided|chose|chosen|assumed|opted|picked|settled on)\b", re.IGNORECASE
)
_HEADING = lazy_pattern(r"\s{0,3}#{1,6}\s|\s*\*\*[^*]{1,60}\*\*:?\s*$|\s*[A-Z][\w ]{1,40}:\s*$")
_FENCE = lazy_pattern(r"\s*(?:`{3,}|~{3,}|-{3,}|\*{3,})")
_DECISION_WORD = lazy_pattern(r"decision|decided|assumption|choice|trade-?off", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AgentReport:
    """The message in parts, each line on its own, bounded in number and length."""

    reasons: dict[str, str]
    """By the task's id: what the agent says of it last, without the word for its state."""
    decisions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read_report(report: str) -> AgentReport:
    """Sort a message's lines. Never raises: what is no line on a task and no decision is a remark."""
    text = strip_hidden(report[-LARGEST:])
    reasons: dict[str, str] = {}
    decisions: list[str] = []
    remarks: list[str] = []
    for line in text.splitlines():
        for task_id, words in said_of(line).items():
            reasons[task_id] = _cut(reason_in(words)) or reasons.get(task_id, "")
    for line, decides in _free_lines(text.splitlines()):
        (decisions if decides else remarks).append(_cut(line))
    return AgentReport(
        reasons,
        _limited(decisions, MOST_DECISIONS),
        _limited(remarks, MOST_REMARKS),
    )


def reason_in(words: str) -> str:
    """Return what follows the word for a task's state: "no server here" of ": not done - no server here"."""
    lead = _LEAD.match(words)
    rest = words[lead.end() :] if lead else words
    join = _JOIN.match(rest)
    return (rest[join.end() :] if join else rest).strip(" *_")


def _free_lines(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Return the lines that are about no one task, and whether each tells a decision."""
    below_decisions = False
    for line in lines:
        if _FENCE.match(line) or said_of(line):
            below_decisions = below_decisions and not said_of(line)
            continue
        words = _BULLET.sub("", line, count=1).strip()
        if not words:
            continue
        if _HEADING.match(line) and not _LABEL.match(words.rstrip(":：*") + ": "):
            below_decisions = _DECISION_WORD.search(line) is not None
            continue
        if label := _LABEL.match(words):
            rest = words[label.end() :].strip()
            below_decisions = not rest
            if rest:
                yield rest, True
            continue
        if _LABEL.fullmatch(words.rstrip(":：*_ ") + ":"):
            below_decisions = True
            continue
        yield words, below_decisions or _DECIDES.search(words) is not None


def _cut(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= LONGEST_LINE else words[: LONGEST_LINE - 1].rstrip() + "…"


def _limited(lines: list[str], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))[:most]
