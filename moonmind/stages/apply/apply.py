"""Judge the agent's change, tick what it shows, make the commit; nothing leaves this host here."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import structlog

from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage import StageDefinition, shown
from moonmind.engine.stage_context import StageContext
from moonmind.errors import AgentError, MoonMindError, NotFound, PatchRefused, SecretFound, Unexpected, VcsRefused
from moonmind.proof import substance
from moonmind.proof.policy.policy_rules import PolicySettings
from moonmind.proof.verification.comparison import Fault
from moonmind.runs.chain import Stage
from moonmind.runs.findings import Finding, Severity, those
from moonmind.runs.kinds import TICKS
from moonmind.runs.machine import Done, Failed, Outcome, Redo, Suspend, WaitingReason
from moonmind.runs.stored_text import storable
from moonmind.runs.verdict import current_word
from moonmind.speckit.agent_report import read_report
from moonmind.speckit.evidence import claims, denials, said_of
from moonmind.speckit.spec_title import title_in
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.apply import judging, no_progress, nothing_ran, policy_step, secret_findings, verification_step
from moonmind.stages.apply.boxes_only import tick_boxes
from moonmind.stages.apply.commit_message import commit_message, subject
from moonmind.stages.apply.effects import ChangedTree, changed_tree
from moonmind.stages.apply.judging import Word
from moonmind.stages.apply.policy_question import OUTPUT_PATH, Asking
from moonmind.stages.apply.verification_facts import in_a_sentence, note_for_agent
from moonmind.stages.apply.verification_jobs import Waiting
from moonmind.stages.apply.verified_judgements import decided
from moonmind.stages.kit import pull_request_text
from moonmind.stages.kit.operator_notes import new_notes
from moonmind.stages.kit.patches import Patch, keep_patch, masked_patch, read_patch
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.restored_work import ensure_start, find_wip
from moonmind.stages.kit.secret_rules import Suspect
from moonmind.stages.kit.secret_scan import list_unfinished, list_work
from moonmind.stages.kit.stage_results import (
    ApplyCheckpoint,
    ApplyResult,
    Approval,
    ChangedFile,
    Judged,
    Judgement,
    NothingRan,
    SubmitResult,
    Verification,
)

log = structlog.get_logger(__name__)

NO_VERIFICATION = "no test was run"
TASKS_LIMIT = 4 * 1024 * 1024
"""Bytes of the agent's tasks.md that are read for its claims; a longer one claims nothing."""
_SHOWN = 10
_SHOWN_LEFT_OUT = 40
_SHOWN_REASONS = 50


def run(context: StageContext) -> Outcome:
    """Make the run's one commit from the agent's work, or refuse it with reasons; repeating it makes the same commit."""
    plan = context.result(Plan)
    if context.run.kind == TICKS:
        return tick_boxes(context, plan, _feature_title(context, plan), OUTPUT_PATH)
    return _take_work(context, plan)


def _take_work(context: StageContext, plan: Plan) -> Outcome:
    submitted = context.result(SubmitResult)
    ensure_start(context, plan)
    wip = find_wip(context, plan, submitted.wip, submitted.patch_path)
    if wip is None:
        if leaked := _leaked_before(context, submitted):
            raise _secret_found(leaked)
        # Without the commit that is gone; the agent's own conversation may still be there, and goes on.
        return Redo(
            Stage.SUBMIT,
            "The work of the last attempt was lost with the machine it was on. Do the tasks again.",
            submitted.resumed().stored(),
        )
    repository = plan.repository.full_name
    patch = read_patch(context, repository, plan.starting_commit, wip)
    read = _reader(context, plan, wip)
    if patch.leaks:  # refused whatever is asked for
        _refuse_leaks(
            context, plan, submitted, patch, policy_step.findings(context, plan, patch, PolicySettings(), read)
        )
    patch_path, digest = _stored(context, submitted, patch)
    kept = policy_step.rules_fetched(context, plan, context.resumes(ApplyCheckpoint))
    excused = {one["fingerprint"]: one["why"] for one in kept.accepted}
    suspected, unread = secret_findings.suspects(context, plan, patch) if patch.content is not None else ((), ())
    stopping = [one for one in suspected if one.severity is Severity.REFUSE and one.fingerprint not in excused]
    if patch_path:
        list_work(context, patch, patch_path, stopping)
    # A recipe that cannot be read ends the run here: its work is listed by then.
    findings = policy_step.findings(context, plan, patch, policy_step.settings_of(context, plan, patch_path), read)
    findings = (*findings, *secret_findings.as_findings(suspected, unread, patch, excused))
    work = _Work(submitted, patch, wip, patch_path, digest, findings, kept)
    if (error := _refusal(submitted, patch_path, findings, stopping)) is not None:
        return _refused(context, plan, work, _Judged(error=error), error)
    return _judged_and_asked(context, plan, work)


@dataclass(frozen=True, slots=True)
class _Work:
    """The agent's work, and what is known of it before its tasks are judged."""

    submitted: SubmitResult
    patch: Patch
    wip: str
    patch_path: str | None
    digest: str | None
    findings: tuple[Finding, ...]
    kept: ApplyCheckpoint


def _judged_and_asked(context: StageContext, plan: Plan, work: _Work) -> Outcome:
    """Judge the tasks, and ask a person where the policy does, or no test could be run; publish nothing without the answer."""
    kept = work.kept
    asking = _asking(context, plan, work, kept.nothing_ran)
    answer = asking.answered(context, kept) if asking is not None else None
    if (
        asking is not None
        and answer is None
        and kept.asked is not None
        and new_notes(context, work.submitted.notes_mark)
    ):
        # Notes after a question are for the agent, whatever the rules say by now.
        before = _Judged(kept.verdicts, kept.tests, kept.nothing_ran)
        return _refused(context, plan, work, before, asking.rejection(context, None))
    if answer is not None and kept.asked_of == work.wip:
        judged = _Judged(kept.verdicts, kept.tests, kept.nothing_ran)
    else:
        found = _verified(context, plan, work)
        if not isinstance(found, _Judged):
            return found
        judged = found
        asking = _asking(context, plan, work, judged.nothing_ran)
        answer = asking.answered(context, kept) if asking is not None else None
    if judged.error is not None:
        return _refused(context, plan, work, judged, judged.error)
    if asking is None:
        return _committed(context, plan, work, judged, None)
    if answer is not None and answer.approved:
        return _committed(context, plan, work, judged, asking.approval(context, answer))
    if answer is not None or new_notes(context, work.submitted.notes_mark):
        rejected = kept.model_copy(update={"rejected": asking.harmful_paths})
        return _refused(context, plan, work, judged, asking.rejection(context, answer), rejected)
    _report_judged(context, plan, work, judged)
    _end_tests(context)
    return asking.question(context, kept, work.wip, (judged.judgements, judged.tests), work.patch_path)


def _asking(context: StageContext, plan: Plan, work: _Work, nothing: NothingRan | None) -> Asking | None:
    return Asking.about(context, plan, work.wip, work.findings, work.kept.rejected, nothing)


def _refused(
    context: StageContext,
    plan: Plan,
    work: _Work,
    judged: "_Judged",
    error: MoonMindError,
    kept: ApplyCheckpoint | None = None,
) -> Outcome:
    """Report what was found, and send the work back to the agent if a person wrote notes for it; else fail, or raise the error.

    `kept` is what a retry has to know of it.
    """
    _report_judged(context, plan, work, judged)
    _end_tests(context)
    if new_notes(context, work.submitted.notes_mark):
        return _asked_again(work.submitted, work.patch_path, error.message)
    if kept is None:
        raise error
    return Failed(error.info(), error.retryable, kept.stored(), error.outage)


def _committed(context: StageContext, plan: Plan, work: _Work, judged: "_Judged", approval: Approval | None) -> Outcome:
    judgements, tests = judged.judgements, judged.tests
    message = commit_message(plan, judgements, context.run.id, tests, approval)
    if context.redactor.holds_known(message.encode()):
        raise SecretFound("The commit message would hold a known secret: it stands in the phase's title or a path.")
    reported = _report_judged(context, plan, work, judged, approval)
    commit = context.vcs.commit(
        plan.repository.full_name,
        tree_of=work.wip,
        parent=plan.starting_commit,
        replace={plan.feature.tasks_path: _ticked(context, plan, judgements)},
        message=message,
        when=context.run.created_at,
    )
    _end_tests(context)
    done = ApplyResult(
        **dict(reported),
        commit=commit,
        patch_path=work.patch_path,
        patch_digest=work.digest,
        message=message,
        committed_at=context.run.created_at,
        title=pull_request_text.title(plan, reported.feature_title),
        summary=subject(plan, judgements),
        accepted=work.kept.accepted or None,
    )
    return Done(done.stored())


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is said of the tasks, and what their tests showed."""

    judgements: tuple[Judgement, ...] = ()
    tests: Verification | None = None
    nothing_ran: NothingRan | None = None
    """No test could be run of those that `.moonmind.yml` names."""
    error: MoonMindError | None = None
    """Why the change may not be published all the same."""


def _verified(context: StageContext, plan: Plan, work: _Work) -> Outcome | _Judged:
    """Judge the tasks by the change, then by its tests; an outcome comes back while these run, or where they send it back."""
    submitted, patch, wip, patch_path = work.submitted, work.patch, work.wip, work.patch_path
    number = context.attempt.number
    read = _reader(context, plan, wip)
    by_change, tree = _judge(context, plan, patch, wip, submitted.report)
    if (error := no_progress.refusal(plan, patch, by_change, read, patch_path, context.run.id)) is not None:
        return _Judged(by_change, error=error)
    recipe = verification_step.recipe_of(context, plan, patch_path)
    changes = [change for change in patch.changes if change.path != plan.feature.tasks_path]
    verified = verification_step.verify(context, plan, submitted, recipe, wip, changes, tree, read)
    if isinstance(verified, Waiting):
        kept = work.kept.model_copy(update={"job_key": verified.job})
        return Suspend(WaitingReason.VERIFICATION, seconds=context.relook_seconds, checkpoint=kept.stored())
    if verified.fault is Fault.OURS and context.may_send_back:
        _end_tests(context)
        return _asked_again(submitted, patch_path, context.redactor.text(note_for_agent(verified)))
    nothing = nothing_ran.found_in(verified, recipe.file, [change.path for change in changes])
    if nothing is not None:
        nothing = nothing_ran.with_approval(context, nothing, work.kept.nothing_ran)
        if nothing_ran.may_run_later(verified) and work.kept.tests_again != number:
            # No mishap is asked about, or keeps an approved change without tests: the jobs that ended so are begun anew.
            _end_tests(context)
            kept = work.kept.model_copy(
                update={"job_key": None, "tests_again": number, "build_again": verified.build_mishap or None}
            )
            return Suspend(WaitingReason.BACKOFF, seconds=context.relook_seconds, checkpoint=kept.stored())
    judgements, tests = decided(plan, by_change, verified, changes, read, recipe.file)
    error = no_progress.refusal(plan, patch, judgements, read, patch_path, context.run.id)
    return _Judged(judgements, tests, nothing, error)


def list_taken_work(context: StageContext) -> Mapping[str, Any]:
    """List the agent's finished work where a run ends before it was judged; an error hinders no end.

    Its tests are stopped first. Raises AgentError while they may still be at work.
    """
    stop_tests(context)
    try:
        plan, taken = Plan.of(context.results), SubmitResult.of(context.results)
        if plan is None or taken is None or not taken.patch_path or not taken.wip:
            return context.checkpoint
        patch = read_patch(context, plan.repository.full_name, plan.starting_commit, taken.wip)
    except (LeaseLost, StopRequested):
        raise
    except Exception:  # its commit may be on another host
        log.exception("patch.not_listed")
        return context.checkpoint
    list_unfinished(context, patch, taken.patch_path)
    return context.checkpoint


def _refusal(
    submitted: SubmitResult, patch_path: str | None, findings: Sequence[Finding], stopping: Sequence[Suspect]
) -> MoonMindError | None:
    """Return why the change may not be published: secrets first, then the patch policy; None where it may be."""
    if stopping:
        return secret_findings.refusal(stopping)
    refused = those(findings, Severity.REFUSE)
    if not refused:
        return None
    said = "The change breaks the patch policy: " + _some([f"{item.path!r}: {item.words}" for item in refused]) + "."
    if patch_path is None and submitted.archive_path:
        said = f"{said} The work is kept in the artifact {submitted.archive_path}."
    return PatchRefused(said, findings=[asdict(item) for item in refused[:50]])


def _asked_again(submitted: SubmitResult, patch_path: str | None, said: str) -> Redo:
    """Send a refused change back to the agent's own conversation, with its work: the operator wrote what to do about it."""
    kept = submitted.resumed().model_copy(update={"wip": submitted.wip, "partial_patch": patch_path})
    return Redo(Stage.SUBMIT, said, kept.stored())


def _secret_found(paths: Sequence[str]) -> SecretFound:
    return SecretFound(
        f"The change holds a known secret, in {_some(paths)}. Nothing was published; what is kept has the values masked.",
        paths=list(paths),
    )


def _leaked_before(context: StageContext, submitted: SubmitResult) -> tuple[str, ...]:
    """Find what an earlier claim of this work refused and threw away, and could not record."""
    try:
        said = json.loads(context.artifacts.read(OUTPUT_PATH))
    except (NotFound, ValueError):
        return ()
    return tuple(said.get("secrets") or ()) if said.get("of") and said["of"] == submitted.wip else ()


def _throw_away(context: StageContext, repository: str) -> None:
    """Remove what holds the secret: the folder, the commit it was captured in, and the agent's own conversation."""
    context.lease.check()
    context.agent.forget(str(context.run.id))
    context.vcs.erase(repository, context.run.id)


def _refuse_leaks(
    context: StageContext, plan: Plan, submitted: SubmitResult, patch: Patch, findings: Sequence[Finding]
) -> NoReturn:
    """Keep the work of a change that holds a known secret with its values masked, and throw the rest away."""
    _report(context, plan, submitted, patch, findings, (), of=submitted.wip)
    name = f"patches/masked-{context.attempt.number}.diff"
    if keep_patch(context, masked := masked_patch(context, patch), name):
        list_unfinished(context, masked, name)
    _throw_away(context, plan.repository.full_name)
    raise _secret_found(patch.leaks)


def _stored(context: StageContext, submitted: SubmitResult, patch: Patch) -> tuple[str | None, str | None]:
    """Name the stored patch: the one that submit stored, unless the work was found again in another form."""
    path, digest = submitted.patch_path, submitted.patch_digest
    if path and patch.content is not None and digest == f"sha256:{hashlib.sha256(patch.content).hexdigest()}":
        return path, digest
    path = f"patches/attempt-{context.attempt.number}.diff"
    digest = keep_patch(context, patch, path)
    return (path, digest) if digest else (None, None)


def _judge(
    context: StageContext, plan: Plan, patch: Patch, wip: str, report: str
) -> tuple[tuple[Judgement, ...], ChangedTree]:
    """Return the verdicts by what the change holds, and what that is."""
    repository, tasks_path = plan.repository.full_name, plan.feature.tasks_path
    before = _tasks_before(context, plan)
    readable = patch.sizes.get(tasks_path, 0) <= TASKS_LIMIT
    after = context.vcs.read(repository, wip, tasks_path) if readable else None
    file = read_tasks(before, name=tasks_path)

    changes = [change for change in patch.changes if change.path != tasks_path]
    named = [name for task in plan.tasks for name in task.targets]
    tree = changed_tree(changes, patch.sizes, plan.feature.path, named, _reader(context, plan, wip))
    word = Word(claims(file, after, report), denials(report), said_of(report), read_report(report).reasons)
    return judging.judge(plan.tasks, tree, word), tree


def _tasks_before(context: StageContext, plan: Plan) -> bytes:
    before = context.vcs.read(plan.repository.full_name, plan.starting_commit, plan.feature.tasks_path)
    if before is None:
        raise Unexpected(
            f"{plan.feature.tasks_path} is not in the starting commit {plan.starting_commit[:12]} any more"
        )
    return before


def _ticked(context: StageContext, plan: Plan, judgements: Sequence[Judgement]) -> bytes:
    """Return tasks.md as it was at the starting commit with the boxes ticked that the verdicts allow."""
    return plan.ticked(_tasks_before(context, plan), judgements)


def stop_tests(context: StageContext) -> None:
    """Stop all tests of the run, and remove their trees. Raises AgentError while one may still be at work."""
    if context.test_jobs is not None:
        context.test_jobs.stop(context.run.id)


def _end_tests(context: StageContext) -> None:
    """Remove the trees of tests that have ended; what cannot be removed now goes with the run's files."""
    try:
        stop_tests(context)
    except AgentError as error:
        log.warning("verification.not_removed", error=error.message)


def _reader(context: StageContext, plan: Plan, wip: str) -> Callable[[bool, str], bytes | None]:
    """Return what reads a file as it is with the work, or was before; None for one that is too large to look into."""

    def read(of_work: bool, path: str) -> bytes | None:
        commit = wip if of_work else plan.starting_commit
        try:
            return context.vcs.read(plan.repository.full_name, commit, path, limit=substance.LARGEST)
        except VcsRefused:
            return None

    return read


def _report_judged(
    context: StageContext, plan: Plan, work: _Work, judged: "_Judged", approval: Approval | None = None
) -> Judged:
    """Store what the policy and the tests found, and return it."""
    nothing = judged.nothing_ran
    findings = work.findings if nothing is None else (*work.findings, nothing_ran.finding_of(nothing))
    return _report(
        context, plan, work.submitted, work.patch, findings, judged.judgements, tests=judged.tests, approval=approval
    )


def _report(
    context: StageContext,
    plan: Plan,
    submitted: SubmitResult,
    patch: Patch,
    findings: Sequence[Finding],
    judgements: Sequence[Judgement],
    *,
    of: str | None = None,
    tests: Verification | None = None,
    approval: Approval | None = None,
) -> Judged:
    """Store what was found before anything can fail after it, and return it."""
    said = read_report(submitted.report)
    files = [change for change in patch.changes if change.path != plan.feature.tasks_path]
    found = Judged(
        verdicts=tuple(judgements),
        ticked=tuple(item.id for item in judgements if item.ticks),
        left_open=tuple(item.id for item in judgements if not item.ticks),
        files=tuple(
            ChangedFile(storable(change.path), change.status, change.added, change.deleted) for change in files
        ),
        added=sum(max(change.added, 0) for change in files),
        deleted=sum(max(change.deleted, 0) for change in files),
        warnings=(
            *policy_step.asked_about(findings, approval),
            *policy_step.look_first(findings, Severity.DRAFT),
            *plan.warnings,
            *_left_out(submitted),
            *policy_step.look_first(findings, Severity.WARN),
        ),
        draft=policy_step.draft_because(findings),
        approval=approval,
        verification=NO_VERIFICATION if tests is None else in_a_sentence(tests),
        tests=tests,
        decisions=said.decisions,
        remarks=said.remarks,
        feature_title=_feature_title(context, plan),
    )
    shown: dict[str, Any] = {
        **found.stored(),
        "policy": [asdict(item) for item in findings],
        "secrets": list(patch.leaks),
    }
    if of:
        shown["of"] = of
    text = context.redactor.text(json.dumps(shown, ensure_ascii=False, indent=2))
    context.artifacts.save("apply_output", OUTPUT_PATH, text.encode(), "application/json")
    return found


def _feature_title(context: StageContext, plan: Plan) -> str:
    """Return the feature's name in its spec.md; empty where there is none, or the file is too large to be one."""
    path = plan.feature.spec_path
    if path is None:
        return ""
    try:
        data = context.vcs.read(plan.repository.full_name, plan.starting_commit, path)
    except VcsRefused:
        return ""
    return storable(title_in(data, path) or "") if data is not None else ""


def _left_out(submitted: SubmitResult) -> list[str]:
    """Return what the agent left that is not in the change, as submit took it."""
    return [storable(f"{item.path}: {item.words}") for item in submitted.left_out[:_SHOWN_LEFT_OUT]]


def _some(words: Sequence[str]) -> str:
    more = len(words) - _SHOWN
    return storable("; ".join(words[:_SHOWN])) + (f"; and {more} more" if more > 0 else "")


def summary(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the task's message says: the boxes ticked, the commit, how many verdicts there are of each kind,
    what the tests say, and why the other boxes stayed open.
    """
    found = shown(outputs, ("ticked", "commit", "accepted"))
    verdicts = outputs.get("verdicts") or ()
    counted = Counter(current_word(verdict["verdict"]) for verdict in verdicts)
    ticked = set(outputs.get("ticked") or ())
    left = [verdict for verdict in verdicts if verdict["id"] not in ticked]
    words = ((one["id"], one.get("because"), one.get("said")) for one in left[:_SHOWN_REASONS])
    reasons = {task_id: ". ".join(filter(None, why)) for task_id, *why in words if any(why)}
    told = {"verdicts": dict(counted), "tests": _tests(outputs.get("tests")), "reasons": reasons}
    return {**found, **{name: value for name, value in told.items() if value}}


def _tests(stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return in numbers what came of the test commands; nothing for a result of a program that ran none."""
    if stored is None:
        return {}
    commands = stored["commands"]
    numbers = {word: sum(one[word] for one in commands) for word in ("passed", "failed")}
    told = {
        "outcomes": dict(Counter(one["outcome"] for one in commands)),
        **(numbers if any(numbers.values()) else {}),
        "broke": sum(len(one["broke"]) for one in commands),
        "notRun": stored["notRun"],
        "draft": stored["draft"],
    }
    return {name: value for name, value in told.items() if value or (name == "failed" and value == 0)}


STAGE = StageDefinition(run, abandon=list_taken_work, stop_job=stop_tests, summary=summary)
