"""Push the branch and ensure its one pull request; found done already, it is done."""

import json
from dataclasses import asdict, replace

from moonmind.engine import forge_cooldown
from moonmind.engine.lease import StopRequested
from moonmind.engine.stage import StageDefinition, shown
from moonmind.engine.stage_context import StageContext
from moonmind.errors import (
    BranchMoved,
    ForgeLimited,
    MoonMindError,
    PullRequestClosed,
    PushRejected,
    SecretFound,
    Unexpected,
)
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, Repository
from moonmind.preflight.checks import Need
from moonmind.runs.machine import Done, Outcome
from moonmind.stages.kit import base_outlook, forge_answers, pull_request_text
from moonmind.stages.kit.branch_conflicts import refuse_conflicts
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.restored_work import find_wip, has
from moonmind.stages.kit.stage_results import ApplyResult, PublishResult, SubmitResult
from moonmind.stages.publish import body_sections

PAYLOAD_PATH = "publish/pull-request.json"


def run(context: StageContext) -> Outcome:
    """Publish apply's commit, fast-forward only, and make the branch's pull request speak of it."""
    if (wait := forge_cooldown.held_back(context)) is not None:
        return wait
    with forge_answers.noted(context):
        return _publish(context)


def _publish(context: StageContext) -> Done:
    plan = context.result(Plan)
    applied = context.result(ApplyResult)
    commit = applied.commit
    repository = plan.repository.full_name
    context.lease.check()
    # Under its present address: it may have been renamed while the agent worked. The mirror keeps the name it had.
    now = context.forge.repository(repository)
    place = replace(plan.repository, clone_url=now.clone_url, files_url=now.files_url)
    context.vcs.fetch(place)
    branches = context.vcs.branches(repository)
    context.lease.check()  # a fetch takes its time; whoever lost the run meanwhile asks the forge for nothing
    pulls = context.forge.pull_requests(repository, plan.branch)
    if merged := _merged(context, plan, commit, branches.get(plan.base), pulls):
        return _done(context, plan, commit, merged)
    opened = next((pull for pull in pulls if pull.state is PullState.OPEN), None)
    if pulls and opened is None:
        last = pulls[0]
        raise PullRequestClosed(
            f"Pull request #{last.number} of {plan.branch} was {last.state.value} while the run worked.", url=last.url
        )
    tip = branches.get(plan.branch)
    _ensure_commit(context, plan, applied, commit)
    draft = _draft(context, plan, applied, opened, place, branches.get(plan.base))
    if not _is_pushed(context, plan, commit, tip):
        if tip != plan.branch_tip:
            raise BranchMoved(
                f"{plan.branch} is at {_short(tip)}, not at {_short(plan.branch_tip)} where this run started.",
                branch=plan.branch,
                found=tip,
                expected=plan.branch_tip,
            )
        _push(context, plan, place, commit)
    try:
        context.lease.check()
        pull = context.forge.ensure_pull_request(repository, draft, allowed=context.lease.check)
        if draft.draft and not pull.draft and opened is None:  # it says that it is one, and its repository has none
            draft = _draft(context, plan, applied, pull, place, branches.get(plan.base))
            pull = context.forge.ensure_pull_request(repository, draft, allowed=context.lease.check)
    except StopRequested as stop:
        # Nothing is taken back, so the run says what exists. The pull request may be made, and only its labels missing.
        try:
            stop.outside = _words_of_pull_request(context, plan, commit) or _only_pushed(plan)
        except MoonMindError as error:  # the token may have been revoked meanwhile: the run is cancelled all the same
            if isinstance(error, ForgeLimited):
                forge_cooldown.suspend(context, error)
            stop.outside = (
                f"The branch {plan.branch} is pushed. Whether a pull request speaks of it could not be found out: "
                f"{error.message}"
            )
        raise
    return _done(context, plan, commit, pull)


def _push(context: StageContext, plan: Plan, place: Repository, commit: str) -> None:
    """Push the commit; raises BranchConflict where another branch's name is in the way, since discovery or only now."""
    _refuse_conflicts(context, plan)
    context.lease.check()
    try:
        context.vcs.push(place, plan.branch, commit, plan.branch_tip)
    except PushRejected:
        context.vcs.fetch(place)
        _refuse_conflicts(context, plan)
        raise


def _refuse_conflicts(context: StageContext, plan: Plan) -> None:
    if plan.branch_tip is None:
        existing = context.vcs.branches(plan.repository.full_name)
        refuse_conflicts(plan.branch, existing, plan.repository.default_branch)


def leftovers(context: StageContext) -> str:
    """Return what an earlier try of this stage left at the forge; raises ForgeError and VcsError where nobody can tell."""
    plan = context.result(Plan)
    commit = context.result(ApplyResult).commit
    repository = plan.repository.full_name
    if words := _words_of_pull_request(context, plan, commit):
        return words
    context.vcs.fetch(replace(plan.repository, clone_url=context.forge.repository(repository).clone_url))
    tip = context.vcs.branches(repository).get(plan.branch)
    return _only_pushed(plan) if _is_pushed(context, plan, commit, tip) else ""


def _words_of_pull_request(context: StageContext, plan: Plan, commit: str) -> str:
    for pull in context.forge.pull_requests(plan.repository.full_name, plan.branch):
        if _speaks_of(pull, context, commit):
            return f"What it published stays: {pull.url}"
    return ""


def _only_pushed(plan: Plan) -> str:
    return f"The branch {plan.branch} is pushed; its pull request does not speak of it yet."


def _speaks_of(pull: PullRequest, context: StageContext, commit: str) -> bool:
    """Return True if this run wrote of this commit; it may have published an earlier phase there and started over since."""
    return body_sections.marker(context.run.id) in pull.body and commit in pull.body


def _merged(
    context: StageContext, plan: Plan, commit: str, base_tip: str | None, pulls: tuple[PullRequest, ...]
) -> PullRequest | None:
    """Find the merged pull request that an earlier try of this run opened, or whose merge brought our commit."""
    merged = [pull for pull in pulls if pull.state is PullState.MERGED]
    for pull in merged:
        if _speaks_of(pull, context, commit):
            return pull
    if merged and base_tip and has(context, plan, commit):
        return merged[0] if context.vcs.is_ancestor(plan.repository.full_name, commit, base_tip) else None
    return None


def _is_pushed(context: StageContext, plan: Plan, commit: str, tip: str | None) -> bool:
    """Return True if the branch holds our commit: at its tip, or below commits that were pushed on top since."""
    if tip is None or tip == commit:
        return tip == commit
    return has(context, plan, commit) and context.vcs.is_ancestor(plan.repository.full_name, commit, tip)


def _draft(
    context: StageContext,
    plan: Plan,
    applied: ApplyResult,
    opened: PullRequest | None,
    place: Repository,
    base_tip: str | None,
) -> PullRequestDraft:
    submitted = SubmitResult.of(context.results)
    own = pull_request_text.section(
        plan,
        applied,
        context.run.id,
        agent=submitted.agent if submitted is not None else None,
        sandbox=submitted.sandbox if submitted is not None else None,
        image=submitted.image if submitted is not None else None,
        environments=submitted.environments if submitted is not None else (),
        outlook=_outlook(context, plan, applied.commit, base_tip),
        files_url=place.files_url.format(commit=applied.commit) if place.files_url else None,
        is_draft=opened.draft if opened is not None else None,
    )
    whole = body_sections.merge(opened.body if opened else None, context.run.id, own)
    text = pull_request_text.title(plan, applied.feature_title, body_sections.phases_in(whole))
    if opened and not pull_request_text.is_ours(opened.title, plan, applied.feature_title):
        text = opened.title  # a person renamed it
    if context.redactor.holds_known(f"{text}\n{own}".encode()):
        raise SecretFound("The pull request's text would hold a known secret: it stands in the tasks or in a path.")
    return PullRequestDraft(plan.branch, plan.base, text, whole, draft=bool(applied.not_ready))


def _outlook(context: StageContext, plan: Plan, commit: str, base_tip: str | None) -> str:
    """Return how the published commit stands to its base as it was just fetched."""
    if base_tip is None:
        return ""
    return base_outlook.of_branch(context, plan.repository.full_name, plan.branch, commit, (plan.base, base_tip))


def _ensure_commit(context: StageContext, plan: Plan, applied: ApplyResult, commit: str) -> None:
    """Make apply's commit again where this host's mirror lacks it: its parts are all recorded."""
    if has(context, plan, commit):
        return
    submitted = SubmitResult.of(context.results)
    wip = find_wip(context, plan, submitted.wip if submitted is not None else None, applied.patch_path)
    before = context.vcs.read(plan.repository.full_name, plan.starting_commit, plan.feature.tasks_path)
    if wip is None or before is None:
        raise Unexpected(
            f"commit {commit[:12]} and the patch it was made from are not on this host",
            remediation="Retry with restart_from_discovery.",
        )
    again = context.vcs.commit(
        plan.repository.full_name,
        tree_of=wip,
        parent=plan.starting_commit,
        replace={plan.feature.tasks_path: plan.ticked(before, applied.verdicts)},
        message=applied.message,
        when=applied.committed_at,
    )
    if again != commit:
        raise Unexpected(
            f"the commit was made again as {again[:12]}, not as {commit[:12]}: the stored patch does not fit",
            remediation="Retry with restart_from_discovery.",
        )


def _done(context: StageContext, plan: Plan, commit: str, pull: PullRequest) -> Done:
    payload = json.dumps(asdict(pull), ensure_ascii=False, indent=2)
    context.artifacts.save("pr_payload", PAYLOAD_PATH, payload.encode(), "application/json")
    done = PublishResult(
        branch=plan.branch,
        pull_request_url=pull.url,
        pull_request_number=pull.number,
        commit=commit,
        draft=pull.draft or None,
    )
    return Done(done.stored())


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "no commit"


STAGE = StageDefinition(
    run,
    leftovers=leftovers,
    needs=frozenset({Need.FORGE}),
    publishes=True,
    summary=lambda outputs: shown(outputs, ("branchName", "pullRequestUrl", "commit", "draft")),
)
