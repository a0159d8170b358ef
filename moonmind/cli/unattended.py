"""A start without a terminal: no run that would only wait for a person's answer."""

import sys

from moonmind import wire
from moonmind.errors import ChoiceNeeded, Unavailable
from moonmind.runs.chain import FIRST
from moonmind.runtime.container import Container
from moonmind.speckit.answer import AnswerKind

_SHOWN = 10


def attended() -> bool:
    """Return True if a person is there who could answer: both ends of the command are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def refuse_question(container: Container, body: wire.CreateRun) -> None:
    """Raise ChoiceNeeded, with what there is to choose from, where a run would ask before it begins."""
    if body.force_phase not in {None, FIRST}:
        return  # what it takes up was chosen by the run that it goes on from
    try:
        found = container.previews.preview(body, probe=False)
    except Unavailable:
        # Whatever does not answer now is waited for by the run itself.
        return
    if found.answer is AnswerKind.ASK:
        raise choice_needed(found, body.repository)


def choice_needed(found: wire.RunPreview, repository: str) -> ChoiceNeeded:
    """Return the error that says what there is to choose from, and with which option."""
    return ChoiceNeeded(_question(found), remediation=_advice(found, repository), candidates=_candidates(found))


def _question(found: wire.RunPreview) -> str:
    lines = [found.reason or "; ".join(found.reasons) or "a person has to choose first"]
    lines += [f"  {one.feature}: {facts_of(one)}" for one in found.candidates[:_SHOWN]]
    if (more := len(found.candidates) - _SHOWN) > 0:
        lines.append(f"  and {more} more")
    return "\n".join(lines)


def facts_of(one: wire.PreviewCandidate) -> str:
    """Describe a candidate in a line: its open tasks, whether their files are there, its last change, its pull request."""
    parts = [f"{one.open} of {one.total} tasks open"]
    if one.named:
        parts.append(f"of the {one.named} that name files, {one.there} have them all there")
    if one.changed_at is not None:
        parts.append(f"last changed {one.changed_at:%Y-%m-%d}")
    if one.pull_request:
        parts.append(one.pull_request)
    return ", ".join(parts)


def _advice(found: wire.RunPreview, repository: str) -> str:
    if found.feature is None and found.candidates:
        return f"Run it again with one of them, such as --feature {found.candidates[0].feature}."
    return (
        f"Tick what is done (`moonmind reconcile {repository} --feature {found.feature}`), or run it again with --phase or "
        "--task for what is not."
    )


def _candidates(found: wire.RunPreview) -> list[dict[str, object]]:
    return [one.model_dump(mode="json", by_alias=True) for one in found.candidates]
