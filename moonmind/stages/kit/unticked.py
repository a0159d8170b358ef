"""The end of a run that ticked nothing, in words: which tasks, why, and what a person can do."""

from collections.abc import Sequence
from uuid import UUID

from moonmind.errors import NoProgress
from moonmind.runs.naming import accept_command
from moonmind.runs.repetition import RetryHelps
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.harmless_text import one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement

_SHOWN = 5
_REASON = 300
"""Characters of one task's reason."""


def no_progress_error(
    plan: Plan,
    judgements: Sequence[Judgement],
    run_id: UUID,
    *,
    kept: str | None = None,
    helps: RetryHelps | None = None,
) -> NoProgress:
    """Return the error of a run that ticked nothing.

    `kept` is the artifact with its work; `helps` says when a retry does something else, and is NEVER where the work is in a
    pull request all the same.
    """
    published = helps is RetryHelps.NEVER
    count = len(judgements)
    tasks_given = "the task" if count == 1 else f"the {count} tasks"
    whose = f"{tasks_given}{' that it was given' if plan.part else ''} of {plan.phase}"
    said = [f"The run ticked none of {whose}."]
    said += [f"{item.id}: {reason(item)}." for item in judgements[:_SHOWN]]
    if count > _SHOWN:
        said.append(f"And {count - _SHOWN} more.")
    if published:
        said.append(f"What the agent changed is on the branch {plan.branch}, in its pull request.")
    elif kept:
        said.append(f"Nothing was published; the agent's work is kept in the artifact {kept}.")
    tasks = [{"id": item.id, "because": item.because, "said": item.said} for item in judgements[:50]]
    remedy = storable(
        _remedy(plan, accept_command(run_id, [item.id for item in judgements if item.held]), published=published)
    )
    return NoProgress(
        storable(" ".join(said)), remediation=remedy, tasks=tasks, **(helps.details(kept) if helps else {})
    )


def reason(judgement: Judgement) -> str:
    """Return why a box stayed open: the verdict's words, and the agent's own where it gave some."""
    words = f"{judgement.because}; {judgement.held}" if judgement.held else judgement.because
    if judgement.said:
        words = f"{words} ({one_line(judgement.said, _REASON)})"
    return one_line(words, 2 * _REASON).rstrip(".")


def _remedy(plan: Plan, accept: str, *, published: bool) -> str:
    branch = plan.branch if published else plan.branch_of_boxes
    # What is published is not taken back: a retry would only say the same again.
    again = "start another run" if published else "retry this run"
    return (
        f"If a task is done, or is a person's, tick it in your name: {accept} (or tick its box in {plan.feature.tasks_path} on the "
        f"branch {branch}); "
        f"or select other tasks for the next run; or {again} with notes that tell the agent what is missing. "
        "To ask the agent afresh without notes, after a change of its model for instance, retry with restart_from_discovery."
    )
