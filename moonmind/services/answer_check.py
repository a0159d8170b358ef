"""Whether what a person sends answers what a run asks. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moonmind import wire
from moonmind.errors import AnswerNotAwaited, RunActive
from moonmind.runs.attention import APPROVE, CHOOSE_FEATURE, REJECT, Answered, Attention
from moonmind.runs.records import Run
from moonmind.services import run_views
from moonmind.speckit.answer import CONTINUE, STALE_BOXES
from moonmind.speckit.feature import may_be_one

_OF_FEATURES = frozenset({CHOOSE_FEATURE, STALE_BOXES})
"""Kinds whose options are features, by their paths, besides CONTINUE."""
_NAMED = 10
"""So many options are named in a message; the details list all."""
_QUOTED = 300
"""Characters of a question in a message."""


def given(run: Run, asked: Attention, body: wire.AnswerRun, *, by: str | None, at: datetime) -> Answered:
    """Return what the body answers to the question; raises AnswerNotAwaited for another one, and for what it does not offer."""
    number = run_views.question_of(run)
    if body.question not in {None, number}:
        text = asked.text[:_QUOTED]
        raise _refused(run, at, f"question {body.question} is not open; the run asks question {number} now: {text}")
    if body.text is not None:
        if asked.options:
            raise _refused(run, at, f"the run asks for one of its options, not for a text: {_listed(asked)}")
        return Answered(asked.kind, text=body.text, why=body.why, by=by, at=at)
    wanted = APPROVE if body.approve else REJECT if body.reject else body.choice or ""
    if not asked.options:
        raise _refused(run, at, f"the run asks for a text, and {_quoted(wanted)} was chosen")
    chosen = wanted if wanted in asked.values else _feature(asked, wanted)
    if chosen is None:
        raise _refused(run, at, f"{_quoted(wanted)} is not one of the options: {_listed(asked)}")
    approved = {APPROVE: True, REJECT: False}.get(chosen)
    choice = chosen if approved is None else None
    return Answered(asked.kind, choice=choice, approved=approved, why=body.why, by=by, at=at)


def feature_of(asked: Attention, answer: Answered) -> str | None:
    """Return the feature that an answer chooses, or goes on with; None where it is about none."""
    if answer.kind not in _OF_FEATURES:
        return None
    return asked.feature if answer.choice == CONTINUE else answer.choice


def late(run: Run, now: datetime, earlier: Mapping[str, Any] | None) -> AnswerNotAwaited:
    """Report that the run asks nothing (any more), and what happened; `earlier` is the last answer that was given."""
    if run.cancel_requested_at is not None or run.status.terminal:
        ended = f"has ended as {run.status.value}" if run.status.terminal else "is being cancelled"
        code = f" ({run.error.code})" if run.error is not None else ""
        return _refused(run, now, f"the run asks nothing: it {ended}{code}", earlier)
    if earlier is None:
        return _refused(run, now, "the run asks nothing")
    return _refused(run, now, f"the run's question was answered before: {_told(earlier)}", earlier)


def taken(busy: RunActive) -> RunActive:
    """Report that another run works on the feature that was chosen, and that the question stays open."""
    fix = "Choose another feature, or wait for the named run or cancel it: the question stays open."
    return RunActive(busy.message, remediation=fix, **busy.details)


def _refused(run: Run, now: datetime, message: str, earlier: Mapping[str, Any] | None = None) -> AnswerNotAwaited:
    awaited = run_views.attention_view(run, now)
    details: dict[str, Any] = {
        "status": run.status.value,
        "awaited": None if awaited is None else awaited.model_dump(mode="json", by_alias=True),
    }
    if earlier is not None:
        details["answered"] = dict(earlier)
    fix = None if awaited is not None else f"See how the run stands with `moonmind show {run.id}`."
    return AnswerNotAwaited(message, remediation=fix, **details)


def _feature(asked: Attention, wanted: str) -> str | None:
    """Return the one feature that a request for it can mean, as `featureKey` means it."""
    if asked.kind not in _OF_FEATURES:
        return None
    found = [value for value in asked.values if value != CONTINUE and may_be_one(value, wanted)]
    return found[0] if len(found) == 1 else None


def _told(answer: Mapping[str, Any]) -> str:
    words = (name for name in (APPROVE, REJECT) if answer.get(name))
    what = next(words, None) or _quoted(str(answer.get("choice") or answer.get("text") or ""))
    by = f" by {answer['by']}" if answer.get("by") else ""
    return f"{what}{by}"


def _listed(asked: Attention) -> str:
    left = len(asked.options) - _NAMED
    return ", ".join(asked.values[:_NAMED]) + (f" and {left} more" if left > 0 else "")


def _quoted(text: str) -> str:
    return repr(text[:100])
