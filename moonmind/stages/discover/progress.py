"""The no-progress rule: a run that would be given exactly what the last one got nowhere with is not started."""

from moonmind.engine.stage_context import EarlierRun
from moonmind.stages.kit.plan import Plan


def without_progress(plan: Plan, notes: str | None, earlier: EarlierRun | None) -> str | None:
    """Say in words why there is no use in asking the agent again; None when something is different now.

    The starting commit may have moved by the earlier run's own commit: that one ticked nothing.
    """
    if earlier is None or earlier.applied.get("ticked"):
        return None
    before = earlier.discovered
    own = {before.get("startingCommit"), earlier.applied.get("commit"), (earlier.published or {}).get("commit")}
    same = (
        before.get("featureKey") == plan.feature.path
        and [(task["id"], task["text"]) for task in before.get("tasks", ())] == [(t.id, t.text) for t in plan.tasks]
        and before.get("hashes") == dict(plan.hashes or {})
        and (earlier.notes or "").strip() == (notes or "").strip()
        and plan.starting_commit in own
    )
    if not same:
        return None
    ids = ", ".join(task.id for task in plan.tasks)
    return (
        f"No progress on {ids}: run {earlier.id} was given the same tasks at the same state of the repository and ticked "
        "none of them. Change the tasks or the spec, or start a run with other notes for the agent."
    )
