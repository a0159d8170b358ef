"""Names of the job that a submit attempt is at, and of the files it leaves; derived, so that a re-claim finds them."""

from typing import Any

from moonmind.engine.context import StageContext
from moonmind.runs import naming
from moonmind.runs.chain import Stage


def spent(context: StageContext) -> int:
    """Count the jobs of this attempt that are over although the attempt goes on: a quota's reset needs a fresh one."""
    count: Any = context.kept.get("spentJobs", 0)
    return int(count) if context.kept.get("attempt") == context.attempt.number else 0


def label(context: StageContext) -> str:
    """Give `<attempt>`, with `.<k>` for its k-th further job."""
    suffix = f".{spent(context)}" if spent(context) else ""
    return f"{context.attempt.number}{suffix}"


def key(context: StageContext) -> str:
    """Name the job itself, for the agent."""
    suffix = f".{spent(context)}" if spent(context) else ""
    return naming.job_key(context.run.id, Stage.SUBMIT, context.attempt.number) + suffix


def log_path(context: StageContext) -> str:
    """Name the artifact that the job's log grows into."""
    return f"codex/attempt-{label(context)}.jsonl"
