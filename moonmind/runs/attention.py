"""What a run asks of a person, and the answer: the values, and their stored form. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

CHOOSE_FEATURE = "choose_feature"
"""The kind of a question whose answer is the feature that the run works on: until then it works on none."""
FINDING = "finding"
"""The kind of a question whether a change may be pushed although the policy asks a person first."""
APPROVE, REJECT = "approve", "reject"
"""The values of options that `approve` and `reject` of an answer stand for."""

TEXT_LENGTH = 2000
OPTION_LENGTH = 500
VALUE_LENGTH = 512
MAX_OPTIONS = 50
"""More are not stored: what is asked comes from repositories, and every list of runs shows it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers that a question offers."""

    value: str
    """What is sent to choose it."""
    text: str
    """What people read: what it means, with its facts."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a person answered: exactly one of `choice`, `text` and `approved` is set."""

    kind: str
    """Of the question."""
    choice: str | None = None
    text: str | None = None
    approved: bool | None = None
    why: str | None = None
    by: str | None = None
    """Who answered; None where nobody knows."""
    at: datetime | None = None

    def stored(self) -> dict[str, Any]:
        """Return the form in the row and in the event."""
        given = {"choice": self.choice, "text": self.text} if self.approved is None else {_word(self.approved): True}
        said = {name: value for name, value in given.items() if value is not None}
        return said | {"why": self.why, "by": self.by, "at": None if self.at is None else self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Attention:
    """A question to a person. With options one of them is the answer, without any a text."""

    kind: str
    text: str
    options: tuple[Option, ...] = ()
    asked_at: datetime | None = None
    answer: Answered | None = None
    feature: str | None = None
    """The path of the feature that it is about."""

    @classmethod
    def asking(cls, kind: str, text: str, options: Iterable[Option], feature: str | None = None) -> "Attention":
        """Return a question whose parts are cut to what is stored; the text says so where options are left out."""
        offered: dict[str, Option] = {}
        for option in options:
            offered.setdefault(option.value, Option(option.value, _cut(option.text, OPTION_LENGTH)))
        shown = tuple(one for one in offered.values() if len(one.value) <= VALUE_LENGTH)[:MAX_OPTIONS]
        left = f" ({len(shown)} of {len(offered)} are listed.)" if len(shown) < len(offered) else ""
        return cls(kind, _cut(text, TEXT_LENGTH - len(left)) + left, shown, feature=feature)

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> "Attention | None":
        """Return what a row holds; None where nothing was asked."""
        if stored is None:
            return None
        kind = str(stored["kind"])
        return cls(
            kind,
            str(stored["text"]),
            tuple(Option(str(one["value"]), str(one["text"])) for one in stored.get("options") or ()),
            _instant(stored.get("asked_at")),
            _answered(kind, stored.get("answer")),
            stored.get("feature"),
        )

    def stored(self) -> dict[str, Any]:
        """Return the form in the row."""
        return {
            "kind": self.kind,
            "text": self.text,
            "options": [{"value": one.value, "text": one.text} for one in self.options],
            "asked_at": None if self.asked_at is None else self.asked_at.isoformat(),
            "answer": None if self.answer is None else self.answer.stored(),
            "feature": self.feature,
        }

    def answered(self, answer: Answered) -> "Attention":
        """Return the question with its answer."""
        return replace(self, answer=answer)

    @property
    def values(self) -> tuple[str, ...]:
        """Return what can be chosen; empty where a text is asked for."""
        return tuple(option.value for option in self.options)


def _answered(kind: str, stored: Mapping[str, Any] | None) -> Answered | None:
    if stored is None:
        return None
    approved = True if stored.get(APPROVE) else False if stored.get(REJECT) else None
    return Answered(
        kind,
        stored.get("choice"),
        stored.get("text"),
        approved,
        stored.get("why"),
        stored.get("by"),
        _instant(stored.get("at")),
    )


def _word(approved: bool) -> str:
    return APPROVE if approved else REJECT


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
