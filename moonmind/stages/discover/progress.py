"""The no-progress rule: a run that would be given exactly what the last one got nowhere with is not started."""

from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import (
    AgentNoChange,
    ChangeRejected,
    NoProgress,
    PatchRefused,
    SecretFound,
    SecretSuspected,
    Unexpected,
)
from moonmind.runs.naming import accept_command
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, PublishResult

_REFUSALS = frozenset(
    one.code for one in (AgentNoChange, ChangeRejected, NoProgress, PatchRefused, SecretFound, SecretSuspected)
)
"""How apply ends when it has judged a change and found nothing to tick in it."""


def without_progress(plan: Plan, notes: str | None, earlier: EarlierRun | None) -> str | None:
    """Return in words why there is no use in asking the agent again; None when something is different now.

    A refusal is a judgement that ticked nothing; a run that was stopped or broke before one says nothing.
    The starting commit may have moved by the earlier run's own commit: that one ticked nothing.
    """
    before, applied, published = _recorded(earlier)
    if (
        earlier is None
        or before is None
        or (applied is None and not _was_refused(earlier))
        or (applied is not None and applied.ticked)
    ):
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


def waits_for_acceptance(plan: Plan, notes: str | None, earlier: EarlierRun | None) -> str | None:
    """Return in words that the tasks only wait for a person, where the last run's agent says that all of them are done."""
    before, applied, _ = _recorded(earlier)
    if earlier is None or before is None or applied is None or (earlier.notes or "").strip() != (notes or "").strip():
        return None
    texts = {(task.line, task.id): task.text for task in before.tasks}
    held = {(item.id, texts.get((item.line, item.id))) for item in applied.verdicts if item.held}
    if before.feature.path != plan.feature.path or not all((task.id, task.text) in held for task in plan.tasks):
        return None
    ids = [task.id for task in plan.tasks]
    return (
        f"{', '.join(ids)}: run {earlier.id} left no more to do than to accept {'it' if len(ids) == 1 else 'them'}, since too little "
        f"shows that {'it is' if len(ids) == 1 else 'they are'} done. If so, tick {'it' if len(ids) == 1 else 'them'} in your name: "
        f"{accept_command(earlier.id, ids)}; or leave {'it' if len(ids) == 1 else 'them'} out of the next run (skip), or start one with "
        "notes for the agent."
    )


def published_commit(earlier: EarlierRun | None) -> str | None:
    """Return the commit that a run published; None where it published none."""
    published = _recorded(earlier)[2]
    return None if published is None else published.commit


def broken_before(plan: Plan, earlier: EarlierRun | None, *, as_published: bool) -> str | None:
    """Return in words that the branch ends with a change that breaks tests; None where it does not, or somebody went on there.

    `as_published`: nothing but boxes was changed on the branch since then.
    """
    _, applied, published = _recorded(earlier)
    if earlier is None or applied is None or published is None or not as_published:
        return None
    if applied.tests is None or not applied.tests.draft:
        return None
    return (
        f"Nothing is added to {published.pull_request_url} while its tests fail: {applied.tests.draft} (run {earlier.id}). "
        f"Push a correction to the branch {plan.branch}, or name the phase or the tasks of the next run to go on all the same."
    )


def _recorded(earlier: EarlierRun | None) -> tuple[Plan | None, ApplyResult | None, PublishResult | None]:
    """Return what a run's stages recorded; nothing of a run that found no work, or of another program's."""
    if earlier is None:
        return None, None, None
    try:
        return Plan.of(earlier.results), ApplyResult.of(earlier.results), PublishResult.of(earlier.results)
    except Unexpected:
        return None, None, None


def _was_refused(earlier: EarlierRun) -> bool:
    return earlier.error is not None and earlier.error.code in _REFUSALS
