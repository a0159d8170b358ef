"""What a run's calls of the model come to: the numbers that a stage keeps, and where the present allowance began."""

from typing import Any

from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobStatus, Usage
from moonmind.runs.model_usage import CAPPED, COUNT


def kept(context: StageContext, status: JobStatus, tokens: Usage | None = None) -> dict[str, Any]:
    """Return `usage`, the run's column, and `callsBase` as a job's status tells them; empty where it tells nothing.

    What other jobs counted stays: a job without tokens or calls, one that was lost for instance, takes nothing away.
    """
    usage = dict(context.run.usage or {}) | (tokens.as_json() if tokens is not None else {})
    calls = status.model_calls
    base: dict[str, Any] = {}
    if calls is not None:
        usage[CAPPED] = calls.capped
        if calls.capped:
            usage[COUNT] = max(calls.total, before(context))
            base = {"callsBase": calls.base}
    return ({"usage": usage} if usage else {}) | base


def before(context: StageContext) -> int:
    """Return how many calls the run's row knows of."""
    return int((context.run.usage or {}).get(COUNT) or 0)


def base(context: StageContext) -> int | None:
    """Return the count at which the run's present allowance began; None: a new one begins with the job to be started.

    A retry that a person asked for begins a new one, until its first job is started; the run's own retries do not.
    """
    fresh = context.attempt.operator_retry and context.checkpoint.get("attempt") != context.attempt.number
    found = context.checkpoint.get("callsBase")
    # At most what this run has made: a forced start goes on from the outputs of another run.
    return None if fresh or found is None else min(int(found), before(context))
