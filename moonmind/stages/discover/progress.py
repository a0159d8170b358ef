"""The no-progress rule: a run that would be given exactly what the last one got nowhere with is not started."""

from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import AgentNoChange, NoProgress, PatchRefused, SecretFound, SecretSuspected, Unexpected
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, PublishResult

_REFUSALS = frozenset({AgentNoChange.code, NoProgress.code, PatchRefused.code, SecretFound.code, SecretSuspected.code})
"""How apply ends when it has judged a change and found nothing to tick in it."""


def without_progress(plan: Plan, notes: str | None, earlier: EarlierRun | None) -> str | None:
    """Return in words why there is no use in asking the agent again; None when something is different now.

    A refusal is a judgement that ticked nothing; a run that was stopped or broke before one says nothing.
    The starting commit may have moved by the earlier run's own commit: that one ticked nothing.
    """
    if earlier is None:
        return None
    try:
        before = Plan.of(earlier.results)
        applied, published = ApplyResult.of(earlier.results), PublishResult.of(earlier.results)
    except Unexpected:  # it found no work, or was recorded by a program that is not ours
        return None
    if before is None or (applied is None and not _was_refused(earlier)) or (applied is not None and applied.ticked):
        return None
    own = {before.starting_commit, *(one.commit for one in (applied, published) if one is not None)}
    same = (
        before.feature.path == plan.feature.path
        and [(task.id, task.text) for task in before.tasks] == [(task.id, task.text) for task in plan.tasks]
        and before.hashes == plan.hashes
        and (earlier.notes or "").strip() == (notes or "").strip()
        and plan.starting_commit in own
    )
    if not same:
        return None
    ids = ", ".join(task.id for task in plan.tasks)
    divided = f" These are {plan.part}; skip them in the request to go on with the others." if plan.part else ""
    return (
        f"No progress on {ids}: run {earlier.id} was given the same tasks at the same state of the repository and ticked "
        f"none of them. Tick what is done in {plan.feature.tasks_path} on the branch {plan.branch_of_boxes}, change the tasks or "
        f"the spec, select other tasks, or start a run with other notes for the agent.{divided}"
    )


def _was_refused(earlier: EarlierRun) -> bool:
    return earlier.error is not None and earlier.error.code in _REFUSALS
