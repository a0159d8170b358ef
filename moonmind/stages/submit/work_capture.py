"""What is kept of an agent's work when a run ends or waits before the agent is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage_context import StageContext
from moonmind.errors import MoonMindError
from moonmind.ports.agent import JobState, JobStatus
from moonmind.ports.vcs import LeftOut
from moonmind.runs import naming
from moonmind.stages.kit.patches import Patch, keep_patch, read_patch
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.secret_scan import list_unfinished
from moonmind.stages.kit.stage_results import SubmitCheckpoint
from moonmind.stages.submit import agent_job, model_calls
from moonmind.stages.submit.agent_job import SubmitJob
from moonmind.stages.submit.work_archive import keep_files

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Captured:
    """The agent's folder as a commit, pinned as the run's `wip`."""

    wip: str
    changed: bool
    patch_path: str | None
    """The stored patch; None when nothing changed, or when it may not be stored."""
    digest: str | None
    patch: Patch
    left_out: tuple[LeftOut, ...] = ()
    archive_path: str | None = None
    """The stored archive of what no patch holds; None where a patch holds everything."""


def keep_work(context: StageContext) -> Mapping[str, Any]:
    """Stop the run's agent if there is one, and keep what it did: the executor calls this to cancel or at a deadline.

    Returns what the next attempt goes on from. A job or a folder that is not there is no error; AgentError is raised
    when the agent cannot be stopped for certain, since then nothing may be said to have ended.
    """
    job = agent_job.of(context)
    status: JobStatus | None = None
    for key in dict.fromkeys((job.key, context.run.job_key or job.key)):
        if naming.is_build(key):
            continue  # other runs may wait for it, too
        seen = context.agent.poll(key)
        if seen.state in {JobState.RUNNING, JobState.LOST} or seen.facts.get("survivors"):
            context.agent.stop(key)
            seen = context.agent.poll(key)
        if seen.state is not JobState.ABSENT and status is None:
            status = seen
    kept = job.checkpoint
    if status is not None:
        kept = kept.model_copy(
            update={"codex_task_id": thread(status) or kept.codex_task_id, "codex_logs_path": job.log_path}
        )
        kept = model_calls.kept(context, kept, status, status.result.usage if status.result is not None else None)
        try:
            context.artifacts.seal(job.log_path)
        except MoonMindError as error:  # the log's size is missing in the list; that must not cost the run's end
            log.warning("agent.log_not_sealed", error=error.message)
    return with_partial(context, job, kept).stored()


def stop_agent(context: StageContext) -> None:
    """Make sure that no agent of this attempt is at work; raises AgentError when that is not certain."""
    key = agent_job.of(context).key
    if context.agent.poll(key).state in {JobState.RUNNING, JobState.LOST}:
        context.agent.stop(key)


def thread(status: JobStatus) -> str | None:
    """Return the id of the agent's thread; None if the job has not started one."""
    return status.thread_id or (status.result.thread_id if status.result else None)


def with_partial(context: StageContext, job: SubmitJob, kept: SubmitCheckpoint) -> SubmitCheckpoint:
    """Capture unfinished work and note where it is, and which plan it belongs to.

    A folder that cannot be taken, whatever the reason, must not hide why the job ended: the reason is kept instead of
    the work.
    """
    try:
        plan = Plan.of(context.results)
        captured = None if plan is None else capture(context, plan, job, f"patches/partial-{job.label}.diff")
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        return kept.model_copy(update={"not_kept": error.message})
    except Exception as error:
        log.exception("work.not_kept")
        why = f"the agent's folder could not be taken: an error nobody planned for ({type(error).__name__})"
        return kept.model_copy(update={"not_kept": why})
    if plan is None or captured is None or not captured.changed:
        return kept
    if captured.patch_path:
        list_unfinished(context, captured.patch, captured.patch_path)
    return kept.model_copy(
        update={
            "wip": captured.wip,
            "partial_patch": captured.patch_path,
            "starting_commit": plan.starting_commit,
            "phase": plan.phase,
            "leaks": captured.patch.leaks or None,
        }
    )


def capture(context: StageContext, plan: Plan, job: SubmitJob, path: str) -> Captured | None:
    """Pin the agent's folder as it is now and store its patch; None when there is no folder here."""
    repository = plan.repository.full_name
    workspace = context.vcs.find_workspace(repository, context.run.id)
    if workspace is None or workspace.starting_commit != plan.starting_commit:
        return None
    try:
        taken = context.vcs.capture(repository, context.run.id, workspace, named=plan.targets)
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        if not error.retryable and (kept := keep_files(context, repository, workspace, job.label)):
            error.message = f"{error.message}. The agent's work is kept in the artifact {kept}."
        raise
    except Exception:
        keep_files(context, repository, workspace, job.label)
        raise
    patch = read_patch(context, repository, workspace.starting_commit, taken.commit)
    digest = keep_patch(context, patch, path)
    stored = path if digest else None
    archive = None
    if patch.content is None:
        archive = keep_files(context, repository, workspace, job.label)
    elif taken.only_here:
        archive = keep_files(context, repository, workspace, job.label, taken.only_here)
    return Captured(taken.commit, bool(patch.changes), stored, digest, patch, taken.left_out, archive)
