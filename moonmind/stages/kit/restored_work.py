"""Finds a run's work again: in this host's mirror, in the agent's folder, or from the stored patch."""

from collections.abc import Mapping
from typing import Any

from moonmind.engine.stage_context import StageContext
from moonmind.errors import NotFound, VcsRefused
from moonmind.stages.kit.patches import read_kept
from moonmind.stages.kit.plan import Plan


def ensure_start(context: StageContext, plan: Plan) -> None:
    """Fetch the repository where this host's mirror lacks the starting commit: discover may have run elsewhere."""
    if not has(context, plan, plan.starting_commit):
        context.lease.check()
        context.vcs.fetch(plan.repository)


def find_wip(context: StageContext, plan: Plan, submitted: Mapping[str, Any]) -> str | None:
    """Find the commit that holds the agent's work as submit recorded it; None when every trace is gone."""
    repository = plan.repository.full_name
    recorded = submitted.get("wip")
    if recorded and has(context, plan, str(recorded)):
        return str(recorded)
    workspace = context.vcs.find_workspace(repository, context.run.id)
    if workspace is not None and workspace.starting_commit == plan.starting_commit:
        named = {path for task in plan.tasks for path in task.targets}
        return context.vcs.capture(repository, context.run.id, workspace, named=named).commit
    path = submitted.get("patchPath")
    if not path:
        return None
    try:
        patch = read_kept(context, str(path))
    except NotFound:
        return None
    return context.vcs.restore(repository, context.run.id, plan.starting_commit, patch)


def has(context: StageContext, plan: Plan, commit: str) -> bool:
    """Return True if a commit made on the plan's starting commit is in this host's mirror."""
    try:
        return context.vcs.is_ancestor(plan.repository.full_name, plan.starting_commit, commit)
    except VcsRefused:
        return False
