"""Names of the job that a submit attempt is at, and of the files it leaves; derived, so that a re-claim finds them."""

from moonmind.engine.stage_context import StageContext
from moonmind.runs import naming
from moonmind.runs.chain import Stage
from moonmind.stages.kit.operator_notes import new_notes


def goes_on(context: StageContext) -> bool:
    """Return True if what was kept belongs to the present plan: another phase or another start begins afresh."""
    plan, kept = context.results.get(Stage.DISCOVER, {}), context.checkpoint
    return "startingCommit" in kept and all(kept.get(name) == plan.get(name) for name in ("startingCommit", "phase"))


def spent(context: StageContext) -> int:
    """Count the jobs of this attempt that are over although the attempt goes on: a quota's reset needs a fresh one."""
    return (
        int(context.checkpoint.get("spentJobs") or 0)
        if context.checkpoint.get("attempt") == context.attempt.number
        else 0
    )


def key(context: StageContext) -> str:
    """Name the job: the attempt's own, or an earlier attempt's that is complete and only waits to be taken over."""
    finished = context.checkpoint.get("finishedJob")
    if finished and goes_on(context) and not new_notes(context, context.checkpoint):
        return str(finished)
    suffix = f".{spent(context)}" if spent(context) else ""
    return naming.job_key(context.run.id, Stage.SUBMIT, context.attempt.number) + suffix


def label(context: StageContext) -> str:
    """Return `<attempt>`, with `.<k>` for its k-th further job: what the job's artifacts are named by."""
    return key(context).rpartition("-")[2]


def log_path(context: StageContext) -> str:
    """Name the artifact that the job's log grows into."""
    return f"codex/attempt-{label(context)}.jsonl"
