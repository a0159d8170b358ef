"""What a run's calls of the model come to: the numbers that a stage keeps, and where the present allowance began."""

from typing import Any

from moonmind import wire
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobStatus, Usage
from moonmind.runs.facts import CAPPED, COUNT
from moonmind.stages.kit.stage_results import SubmitCheckpoint


def kept(
    context: StageContext, checkpoint: SubmitCheckpoint, status: JobStatus, tokens: Usage | None = None
) -> SubmitCheckpoint:
    """Return the checkpoint with what a job's status tells of usage and calls.

    What other jobs counted stays: a job without tokens or calls, one that was lost for instance, takes nothing away.
    """
    usage: dict[str, Any] = dict(context.run.usage or {})
    if tokens is not None:
        usage |= wire.Usage.model_validate(tokens, from_attributes=True).model_dump(by_alias=True)
    calls, base = status.model_calls, checkpoint.calls_base
    if calls is not None:
        usage[CAPPED] = calls.capped
        if calls.capped:
            usage[COUNT] = max(calls.total, before(context))
            base = calls.base
    return checkpoint.model_copy(update={"usage": usage or checkpoint.usage, "calls_base": base})


def before(context: StageContext) -> int:
    """Return how many calls the run's row knows of."""
    return int((context.run.usage or {}).get(COUNT) or 0)


def base(context: StageContext, checkpoint: SubmitCheckpoint) -> int | None:
    """Return the count at which the run's present allowance began; None: a new one begins with the job to be started.

    A retry that a person asked for begins a new one, until its first job is started; the run's own retries do not.
    """
    fresh = context.attempt.operator_retry and checkpoint.attempt != context.attempt.number
    found = checkpoint.calls_base
    # At most what this run has made: a forced start goes on from the results of another run.
    return None if fresh or found is None else min(found, before(context))
