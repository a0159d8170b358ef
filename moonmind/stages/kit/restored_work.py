"""Finds a run's work again: in this host's mirror, in the agent's folder, or from the stored patch."""

from moonmind.engine.stage_context import StageContext
from moonmind.errors import NotFound, VcsRefused
from moonmind.stages.kit.patches import read_kept
from moonmind.stages.kit.plan import Plan


def ensure_start(context: StageContext, plan: Plan) -> None:
    """Fetch the repository where this host's mirror lacks the starting commit: discover may have run elsewhere."""
    if not has(context, plan, plan.starting_commit):
        context.lease.check()
        context.vcs.fetch(plan.repository)


def find_wip(context: StageContext, plan: Plan, recorded: str | None, patch_path: str | None) -> str | None:
    """Find the commit that holds the agent's work: the recorded one, else made again; None when every trace is gone."""
    repository = plan.repository.full_name
    if recorded and has(context, plan, recorded):
        return recorded
    workspace = context.vcs.find_workspace(repository, context.run.id)
    if workspace is not None and workspace.starting_commit == plan.starting_commit:
        return context.vcs.capture(repository, context.run.id, workspace, named=plan.targets).commit
    if not patch_path:
        return None
    try:
        patch = read_kept(context, patch_path)
    except NotFound:
        return None
    return context.vcs.restore(repository, context.run.id, plan.starting_commit, patch)


def has(context: StageContext, plan: Plan, commit: str) -> bool:
    """Return True if a commit made on the plan's starting commit is in this host's mirror."""
    try:
        return context.vcs.is_ancestor(plan.repository.full_name, plan.starting_commit, commit)
    except VcsRefused:
        return False
