"""The run's commit message: deterministic, since a repeated stage must make the same commit again."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from moonmind.stages.kit.harmless_text import inert, one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement

SUBJECT_LENGTH = 72


def commit_message(plan: Plan, judgements: Sequence[Judgement], run_id: UUID) -> str:
    """Write the run's commit message: the same judgements give the same bytes, and so the same commit."""
    lines = [f"- {inert(item.id, 40)} {inert(item.words)}" for item in judgements]
    trailers = [f"Feature: {inert(plan.feature.path)}", f"Run-Id: {run_id}"]
    return "\n".join([subject(plan, judgements), "", *lines, "", *trailers, ""])


def subject(plan: Plan, judgements: Iterable[Judgement]) -> str:
    """Write the commit's first line, the fullest form that fits."""
    ids = [item.id for item in judgements if item.ticks]
    head = f"{plan.feature_name}: {plan.phase}"
    forms = [f"{head} ({', '.join(ids)})", f"{head} ({len(ids)} tasks)"] if ids else []
    for form in [*forms, head]:
        if len(one_line(form, 1000)) <= SUBJECT_LENGTH:
            return inert(form, SUBJECT_LENGTH)
    return inert(head, SUBJECT_LENGTH)
