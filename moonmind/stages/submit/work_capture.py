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
from moonmind.runs.chain import Stage
from moonmind.stages.kit.patches import Patch, keep_patch, read_patch
from moonmind.stages.kit.secret_scan import list_unfinished
from moonmind.stages.submit import agent_job, model_calls
from moonmind.stages.submit.work_archive import keep_files

VERSION = 1

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
    status: JobStatus | None = None
    for key in dict.fromkeys((agent_job.key(context), context.run.job_key or agent_job.key(context))):
        seen = context.agent.poll(key)
        if seen.state in {JobState.RUNNING, JobState.LOST} or seen.facts.get("survivors"):
            context.agent.stop(key)
            seen = context.agent.poll(key)
        if seen.state is not JobState.ABSENT and status is None:
            status = seen
    kept = {**context.checkpoint, **thread(status)}
    if status is not None:
        kept |= {"codexLogsPath": agent_job.log_path(context)}
        kept |= model_calls.kept(context, status, status.result.usage if status.result is not None else None)
        try:
            context.artifacts.seal(agent_job.log_path(context))
        except MoonMindError as error:  # the log's size is missing in the list; that must not cost the run's end
            log.warning("agent.log_not_sealed", error=error.message)
    return {**kept, **partial(context)}


def stop_agent(context: StageContext) -> None:
    """Make sure that no agent of this attempt is at work; raises AgentError when that is not certain."""
    key = agent_job.key(context)
    if context.agent.poll(key).state in {JobState.RUNNING, JobState.LOST}:
        context.agent.stop(key)


def thread(status: JobStatus | None) -> dict[str, Any]:
    """Return the agent's thread id as `codexTaskId`; empty if the job has not started a thread."""
    if status is None:
        return {}
    found = status.thread_id or (status.result.thread_id if status.result else None)
    return {"codexTaskId": found} if found else {}


def partial(context: StageContext) -> dict[str, Any]:
    """Capture unfinished work and say where it is, and which plan it belongs to.

    A folder that cannot be taken, whatever the reason, must not hide why the job ended: the reason is kept instead of
    the work.
    """
    try:
        captured = capture(context, f"patches/partial-{agent_job.label(context)}.diff")
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        return {"notKept": error.message}
    except Exception as error:
        log.exception("work.not_kept")
        return {
            "notKept": f"the agent's folder could not be taken: an error nobody planned for ({type(error).__name__})"
        }
    if captured is None or not captured.changed:
        return {}
    if captured.patch_path:
        list_unfinished(context, captured.patch, captured.patch_path)
    plan = context.results[Stage.DISCOVER]
    kept: dict[str, Any] = {
        "v": VERSION,
        "wip": captured.wip,
        "partialPatch": captured.patch_path,
        "startingCommit": plan.get("startingCommit"),
        "phase": plan.get("phase"),
    }
    leaks = captured.patch.leaks
    return {**kept, "leaks": list(leaks)} if leaks else kept


def capture(context: StageContext, path: str) -> Captured | None:
    """Pin the agent's folder as it is now and store its patch; None when there is no folder here."""
    plan = context.results.get(Stage.DISCOVER)
    if plan is None:
        return None
    repository = plan["repository"]["fullName"]
    workspace = context.vcs.find_workspace(repository, context.run.id)
    if workspace is None or workspace.starting_commit != plan["startingCommit"]:
        return None
    label = agent_job.label(context)
    try:
        taken = context.vcs.capture(repository, context.run.id, workspace, named=named_paths(plan))
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        if not error.retryable and (kept := keep_files(context, repository, workspace, label)):
            error.message = f"{error.message}. The agent's work is kept in the artifact {kept}."
        raise
    except Exception:
        keep_files(context, repository, workspace, label)
        raise
    patch = read_patch(context, repository, workspace.starting_commit, taken.commit)
    digest = keep_patch(context, patch, path)
    stored = path if digest else None
    archive = None
    if patch.content is None:
        archive = keep_files(context, repository, workspace, label)
    elif taken.only_here:
        archive = keep_files(context, repository, workspace, label, taken.only_here)
    return Captured(taken.commit, bool(patch.changes), stored, digest, patch, taken.left_out, archive)


def named_paths(plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths that the plan's tasks ask to change; a plan of an earlier program has one list of paths."""
    return tuple(dict.fromkeys(path for task in plan["tasks"] for path in task.get("targets", task.get("paths", ()))))
