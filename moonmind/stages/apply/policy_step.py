"""Holds a change against the policy: what is asked by the operator and by the base branch, and what that makes of the run."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from moonmind.engine.environment_orders import recipe_at
from moonmind.engine.stage_context import StageContext
from moonmind.errors import ForgeUnavailable, RecipeUnreadable, VcsUnreachable
from moonmind.proof.policy.asked_paths import AskedPaths, Named
from moonmind.proof.policy.patch_policy import PatchFacts, judge
from moonmind.proof.policy.policy_rules import PolicySettings
from moonmind.runs.findings import Finding, Severity, those
from moonmind.runs.stored_text import storable
from moonmind.stages.apply.verification_step import recipe_of
from moonmind.stages.kit.patches import PATCH_LIMIT, Patch
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyCheckpoint, Approval

log = structlog.get_logger(__name__)
_IN_REASON = 2
"""Findings that the reason of a draft names."""


def rules_fetched(context: StageContext, plan: Plan, kept: ApplyCheckpoint) -> ApplyCheckpoint:
    """Fetch the base branch once in each further attempt, and note it: a person may have changed `.moonmind.yml` since.

    Where the forge does not answer, the rules count that are known. Raises VcsError for any other reason.
    """
    number = context.attempt.number
    if number in {1, kept.fetched}:
        return kept
    context.lease.check()
    try:
        context.vcs.fetch(plan.repository)
    except (VcsUnreachable, ForgeUnavailable) as error:
        log.warning("policy.rules_as_known", error=error.message)
        return kept
    return kept.model_copy(update={"fetched": number})


def settings_of(context: StageContext, plan: Plan, kept: str | None) -> PolicySettings:
    """Return what operator and repository ask for; the graver of the two counts.

    `kept` is the artifact with the agent's work. Raises RecipeUnreadable, VcsError.
    """
    repository = plan.repository.full_name
    base = context.vcs.branches(repository).get(plan.base, plan.starting_commit)
    try:
        recipe = recipe_at(context.vcs, repository, base)
    except RecipeUnreadable:
        recipe = recipe_of(context, plan, kept).file
    asked = recipe.policy if recipe is not None else None
    if asked is None:
        return PolicySettings(protected_is=context.protected_files)
    if asked.protected_is is None:
        return PolicySettings(asked.protected, context.protected_files)
    least = Severity.gravest((context.protected_files, Severity(asked.protected_is)))
    return PolicySettings(asked.protected, least, by_repository=True)


def findings(
    context: StageContext,
    plan: Plan,
    patch: Patch,
    settings: PolicySettings,
    read: Callable[[bool, str], bytes | None],
) -> tuple[Finding, ...]:
    """Return what the policy finds in a change. Raises RecipeUnreadable, VcsError."""
    tree = frozenset(patch.sizes) | {change.path for change in patch.changes}
    named = [Named(task.id, path, path in task.removals) for task in plan.tasks for path in task.targets]
    asked = AskedPaths(named, root=plan.feature.root, tree=tree)
    facts = PatchFacts(
        patch.changes,
        patch.sizes,
        plan.feature.tasks_path,
        plan.feature.path,
        asked,
        _attributes(context, patch),
        read,
    )
    found = list(judge(facts, settings))
    if patch.content is None:
        found.append(_too_large(patch))
    return tuple(Finding(storable(one.path), one.rule, one.severity, storable(one.words), one.task) for one in found)


def _attributes(context: StageContext, patch: Patch) -> Mapping[str, Mapping[str, str]]:
    """Return what `.gitattributes` say of the changed files; nothing where there are none."""
    if not any(path.rpartition("/")[2] == ".gitattributes" for path in patch.sizes):
        return {}
    paths = [change.path for change in patch.changes if change.status != "D"]
    return context.vcs.attributes(patch.repository, patch.after, paths, ("filter",))


def _too_large(patch: Patch) -> Finding:
    size, largest = max((patch.sizes.get(change.path, 0), change.path) for change in patch.changes)
    words = (
        "the changed files are too large together to be shown as a patch, "
        f"this one the most with {size} bytes; {PATCH_LIMIT} are allowed together"
    )
    if sum(patch.sizes.get(change.path, 0) for change in patch.changes) <= PATCH_LIMIT:
        largest, words = ".", "what the change removes is too much to be shown as a patch"
    return Finding(largest, "size", Severity.REFUSE, words)


def asked_about(found: Sequence[Finding], approval: Approval | None) -> list[str]:
    """Return what a reviewer is told of the findings that a person was asked about."""
    said = f"; {approval.words}" if approval is not None else ""
    return [f"{line}{said}" for line in look_first(found, Severity.ASK)]


def draft_because(found: Sequence[Finding]) -> str:
    """Return why the pull request is a draft; empty where no finding makes it one."""
    drafts = those(found, Severity.DRAFT)
    if not drafts:
        return ""
    named = "; ".join(one.line for one in drafts[:_IN_REASON])
    more = len(drafts) - _IN_REASON
    return f"{named}; and {more} more such findings" if more > 0 else named


def look_first(found: Sequence[Finding], severity: Severity) -> list[str]:
    """Return what a reviewer is told of the findings of one severity."""
    return [one.line for one in those(found, severity)]
