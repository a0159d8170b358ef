"""Hand the phase to the agent, wait for it without holding a worker, and keep what it did."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage import StageDefinition, shown
from moonmind.engine.stage_context import StageContext
from moonmind.errors import (
    AgentBusy,
    AgentError,
    AgentLost,
    AgentUnknown,
    CredentialInvalid,
    MoonMindError,
    NotFound,
    VcsRefused,
)
from moonmind.ports.agent import AgentJob, JobEnd, JobResult, JobState, JobStatus, Usage
from moonmind.preflight.checks import Need
from moonmind.preflight.workflow_right import workflows_named
from moonmind.runs.kinds import TICKS
from moonmind.runs.machine import Done, Failed, Outcome, Suspend, WaitingReason
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.operator_notes import notes_mark
from moonmind.stages.kit.patches import read_kept
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.restored_work import ensure_start
from moonmind.stages.kit.stage_results import SubmitCheckpoint, SubmitResult
from moonmind.stages.submit import agent_job, environment_step, job_outcomes, model_calls, no_change, prompt_inputs
from moonmind.stages.submit.agent_job import SubmitJob
from moonmind.stages.submit.environment_step import Prepared
from moonmind.stages.submit.work_capture import Captured, capture, keep_work, stop_agent, thread, with_partial

CAPACITY_SECONDS = 60.0
QUOTA_COOLDOWN = "agent-quota"
_MOST_NAMED = 5
_LONGEST_PROBLEM = 200
REPORT_LENGTH = 20_000
"""Characters of the agent's last message that are recorded: its end."""


def run(context: StageContext) -> Outcome:
    """Look at the attempt's one job: start it, go on waiting, or take what it left."""
    plan = context.result(Plan)
    if context.run.kind == TICKS:
        # What it takes up is done already: there is nothing to ask an agent.
        start = plan.starting_commit
        return Done(SubmitResult(starting_commit=start, phase=plan.phase, wip=start).stored())
    job = agent_job.of(context)
    try:
        status = context.agent.poll(job.key)
    except AgentUnknown:
        if job.key not in (job.checkpoint.job_key, context.run.job_key):
            raise
        # The job was started and may well be at work: not being able to look ends nothing. The deadline bounds this.
        # The checkpoint names the job again, also to the job poller: a retry's row has forgotten it.
        return Suspend(WaitingReason.AGENT, seconds=context.relook_seconds, checkpoint=context.checkpoint)
    match status.state:
        case JobState.RUNNING if status.overdue is not None:
            return _outlived(context, plan, job, status.overdue)
        case JobState.RUNNING:
            return _wait(context, plan, job, status)
        case JobState.ENDED if status.result is not None:
            return _harvest(context, plan, job, status, status.result)
        case JobState.LOST | JobState.ENDED:
            # The supervisor is gone, its agent may not be: nothing else may work in the folder before it is.
            context.lease.check()
            context.agent.stop(job.key)
            context.artifacts.seal(job.log_path)
            return job_outcomes.lost(with_partial(context, job, _kept(context, plan, job, status)))
        case JobState.ABSENT:
            return _start(context, plan, job)


def _start(context: StageContext, plan: Plan, job: SubmitJob) -> Outcome:
    if (opens := context.services.cooldown(QUOTA_COOLDOWN)) is not None:
        return Suspend(WaitingReason.QUOTA, until=opens)
    # Before it is looked at what the tests of that work need: on another host it comes from the forge and a stored patch.
    ensure_start(context, plan)
    resume = _resume_point(context, plan, job)
    prepared = environment_step.prepare(context, plan, job)
    if prepared.waits_for:
        return _wait_for_builds(context, plan, job, prepared)
    job = job.within(prepared.uses, prepared.image)
    if not context.services.take_slot():
        return Suspend(WaitingReason.CAPACITY, seconds=CAPACITY_SECONDS)
    # Behind the slot: runs that wait for one come by every minute, and must not use the services' limits up with probes.
    context.services.audit_credentials()
    if workflows := _workflows(plan):
        context.services.check_workflows(workflows)
    prompt = context.redactor.text(prompt_inputs.prompt_of(context, plan, job))
    context.artifacts.save("prompt", f"codex/prompt-{job.label}.md", prompt.encode(), "text/markdown; charset=utf-8")
    log_path = context.artifacts.grow("codex_logs", job.log_path, "application/x-ndjson")
    repository = plan.repository.full_name
    context.lease.check()
    if not job.goes_on:
        # No job of this plan has run yet: what lies there is from a plan that discover has replaced since.
        context.vcs.close_workspace(repository, context.run.id)
    workspace = context.vcs.open_workspace(repository, context.run.id, plan.starting_commit, resume=resume)
    order = AgentJob(
        key=job.key,
        workspace=workspace.path,
        prompt=prompt,
        brief=prompt_inputs.brief_of(context, plan),
        log_path=log_path,
        environment={
            "SPECIFY_FEATURE_DIRECTORY": plan.feature.path,
            "SPECIFY_FEATURE": plan.feature.path.rpartition("/")[2],
        },
        resume_thread=job.before.codex_task_id,
        home_key=str(context.run.id),
        limits=context.limits,
        calls_before=model_calls.before(context),
        calls_base=model_calls.base(context, job.checkpoint),
        image=prepared.image,
        environments=prepared.lent,
    )
    context.lease.check()
    try:
        context.agent.start(order)
    except AgentBusy:
        # The login serves one agent at a time; the slot goes to a run that can use it.
        return Suspend(WaitingReason.CAPACITY, seconds=CAPACITY_SECONDS)
    try:
        status = context.agent.poll(job.key)
    except AgentUnknown:
        status = JobStatus(JobState.RUNNING)  # it has been started; the next look says more
    return _wait(context, plan, job, status)


def _wait_for_builds(context: StageContext, plan: Plan, job: SubmitJob, prepared: Prepared) -> Outcome:
    if not context.services.stay_here():
        context.lease.check()
    kept = environment_step.waiting(
        _kept(context, plan, job, JobStatus(JobState.ABSENT)), prepared, context.attempt.number
    )
    return Suspend(WaitingReason.ENVIRONMENT, seconds=context.relook_seconds, checkpoint=kept.stored())


def _workflows(plan: Plan) -> tuple[str, ...]:
    named = (path for task in plan.tasks for path in workflows_named((*task.targets, task.text), task.references))
    return tuple(dict.fromkeys(named))


def _wait(context: StageContext, plan: Plan, job: SubmitJob, status: JobStatus) -> Suspend:
    kept = _kept(context, plan, job, status)
    return Suspend(WaitingReason.AGENT, seconds=context.relook_seconds, checkpoint=kept.stored())


def _outlived(context: StageContext, plan: Plan, job: SubmitJob, limit: JobEnd) -> Outcome:
    """End a job that its supervisor should have ended, and take what it left."""
    context.lease.check()
    context.agent.stop(job.key)
    status = context.agent.poll(job.key)
    result = status.result
    if result is None or result.end is JobEnd.STOPPED:
        words = "its supervisor did not see to that (it was stopped itself, or hung), so the run ended the job"
        result = replace(result or JobResult(limit), end=limit, message=words)
    return _harvest(context, plan, job, status, result)


def _harvest(context: StageContext, plan: Plan, job: SubmitJob, status: JobStatus, result: JobResult) -> Outcome:
    """Take what the job left; after a passing fault only this is done again, by this job's name."""
    kept = _kept(context, plan, job, status, result.usage)
    try:
        if status.facts.get("survivors"):
            # Something of the agent's was still there at its end, and may go on changing the folder.
            context.lease.check()
            context.agent.stop(job.key)
        context.artifacts.seal(job.log_path)
        return _ended(context, plan, job, kept, result)
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        # Taken again by a retry: the agent is not paid for the same end twice, unless new notes ask it for another one.
        again = {"finished_job": job.key, "notes_mark": notes_mark(context), "ended": error.message}
        return Failed(error.info(), error.retryable, kept.model_copy(update=again).stored(), error.outage)


def _ended(context: StageContext, plan: Plan, job: SubmitJob, kept: SubmitCheckpoint, result: JobResult) -> Outcome:
    if result.end is not JobEnd.COMPLETED:
        shown = replace(result, message=storable(context.redactor.text(result.message)))
        if result.end is JobEnd.QUOTA and result.resets_at is not None and result.confirmed:
            # Every run uses the same credential: none starts an agent that would only meet the same limit.
            context.services.set_cooldown(QUOTA_COOLDOWN, result.resets_at, job_outcomes.sentence(shown))
        if result.end is JobEnd.CREDENTIAL and result.confirmed:
            context.services.note_refused_credential(CredentialInvalid(job_outcomes.sentence(shown)), whose="agent")
        return job_outcomes.bad_end(shown, with_partial(context, job, kept), job.spent, datetime.now(UTC))
    captured = capture(context, plan, job, f"patches/agent-{job.label}.diff")
    if captured is None:
        return _without_folder(context, plan, kept)
    report = storable(context.redactor.text(result.report))[-REPORT_LENGTH:]
    if not captured.changed:
        error = no_change.error_of(context, plan, captured, report)
        # Said to the agent too, if a person asks it again.
        return Failed(error.info(), checkpoint=kept.model_copy(update={"ended": error.message}).stored())
    if changed := environment_step.changed_needs(context, plan, job, captured.wip):
        return _next_round(context, job, kept, captured, changed)
    return Done(_result(context, kept, captured, report).stored())


def _next_round(
    context: StageContext, job: SubmitJob, kept: SubmitCheckpoint, captured: Captured, changed: tuple[str, ...]
) -> Suspend:
    """Let the agent go on, in another job of the same attempt, where what it changed has been set up.

    Written down before anything is built or started, so that whoever is killed then finds the way.
    """
    named = ", ".join(changed[:_MOST_NAMED]) + (", ..." if len(changed) > _MOST_NAMED else "")
    words = (
        f"You had changed {named}, so what the tests need was set up anew from your files, for you alone. Go on: run the tests "
        "that belong to the tasks, mend what fails, and write the summary of all your work again."
    )
    after = {
        "rebuilt": captured.wip,
        "rebuilt_in": context.attempt.number,
        "wip": captured.wip,
        "partial_patch": captured.patch_path,
        "ended": words,
        "spent_jobs": job.spent + 1,
        "builds": (),
    }
    return Suspend(WaitingReason.ENVIRONMENT, seconds=0.0, checkpoint=kept.model_copy(update=after).stored())


def _without_folder(context: StageContext, plan: Plan, kept: SubmitCheckpoint) -> Failed:
    if context.vcs.lost_folder(plan.repository.full_name, context.run.id):
        # On this very host, under its own record: the same agent would do it again.
        error = AgentError(
            "The agent removed its folder, or put something else in its place; what it did there is gone.",
            remediation="Read the agent's log. A retry starts it again in a new folder: say in notes what it must leave alone.",
        )
        return Failed(error.info(), checkpoint=kept.model_copy(update={"ended": error.message}).stored())
    lost = AgentLost("The agent is done, but its folder is not on this host any more; the phase is done again.")
    return Failed(lost.info(), transient=True, checkpoint=kept.stored())


def _result(context: StageContext, kept: SubmitCheckpoint, captured: Captured, report: str) -> SubmitResult:
    return SubmitResult(
        starting_commit=kept.starting_commit,
        phase=kept.phase,
        agent=kept.agent,
        sandbox=kept.sandbox,
        image=kept.image,
        environments=kept.environments,
        rebuilt=kept.rebuilt,
        job_key=kept.job_key,
        codex_task_id=kept.codex_task_id,
        codex_logs_path=kept.codex_logs_path,
        usage=kept.usage,
        calls_base=kept.calls_base,
        notes_mark=notes_mark(context),
        wip=captured.wip,
        patch_path=captured.patch_path,
        patch_digest=captured.digest,
        archive_path=captured.archive_path,
        left_out=captured.left_out,
        report=report,
    )


def _kept(
    context: StageContext, plan: Plan, job: SubmitJob, status: JobStatus, tokens: Usage | None = None
) -> SubmitCheckpoint:
    """Name the job and its thread, and the plan they belong to."""
    before = job.before
    kept = SubmitCheckpoint(
        starting_commit=plan.starting_commit,
        phase=plan.phase,
        attempt=context.attempt.number,
        agent=context.agent.name,
        sandbox=status.sandbox or before.sandbox,
        builds=job.checkpoint.builds if job.checkpoint.attempt == context.attempt.number else (),
        image=job.checkpoint.image,
        environments=job.checkpoint.environments,
        rebuilt=before.rebuilt,
        rebuilt_in=before.rebuilt_in,
        spent_jobs=job.spent,
        job_key=job.key,
        codex_task_id=thread(status) or before.codex_task_id,
        codex_logs_path=job.log_path,
        usage=job.checkpoint.usage,
        calls_base=job.checkpoint.calls_base,
        ended=before.ended,
        wip=before.wip,
        partial_patch=before.partial_patch,
        patch_path=before.patch_path,
    )
    return model_calls.kept(context, kept, status, tokens)


def _resume_point(context: StageContext, plan: Plan, job: SubmitJob) -> str | None:
    """Find the commit with this run's unfinished work: pinned here, else rebuilt from the stored patch."""
    before = job.before
    if not before.wip:
        return None
    repository = plan.repository.full_name
    if context.vcs.wip(repository, context.run.id) == before.wip:
        return before.wip
    path = before.partial_patch or before.patch_path
    if not path:
        return None
    try:
        return context.vcs.restore(repository, context.run.id, plan.starting_commit, read_kept(context, path))
    except (NotFound, VcsRefused):
        return None  # the thread still knows what it did; it does it again from the starting commit


def _summary(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people see of the stage: of each environment what was set up, or that it could not be."""
    said = shown(outputs, ("agent", "sandbox", "image", "environments", "codexTaskId", "usage"))
    uses = [
        {
            "root": use["root"],
            "setup": use["setup"],
            "problem": str(use["problem"]).strip().rpartition("\n")[2][-_LONGEST_PROBLEM:],
        }
        for use in said.pop("environments", None) or ()
    ]
    return said | ({"environments": uses} if uses else {})


STAGE = StageDefinition(
    run,
    abandon=keep_work,
    stop_job=stop_agent,
    needs=frozenset(Need),
    holds_slot=True,
    leaves_files=True,
    summary=_summary,
)
