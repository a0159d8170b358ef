from dataclasses import replace
from typing import Any

import pytest

from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState, JobStatus, ModelCalls, Usage
from moonmind.stages.kit.stage_results import SubmitCheckpoint
from moonmind.stages.submit import model_calls
from tests.support.stage_parts import A_RUN, AN_ATTEMPT

NOTHING = SubmitCheckpoint()


def context(usage: dict[str, Any] | None = None, *, retry: bool = False, number: int = 1) -> StageContext:
    """Return a context with what this module reads, and nothing else."""
    attempt = replace(AN_ATTEMPT, number=number, operator_retry=retry)
    made = object.__new__(StageContext)
    for name, value in {"run": replace(A_RUN, usage=usage), "attempt": attempt}.items():
        object.__setattr__(made, name, value)
    return made


def status(*calls: Any, **more: Any) -> JobStatus:
    return JobStatus(JobState.RUNNING, model_calls=ModelCalls(*calls, **more))


def test_a_jobs_count_is_kept_beside_the_tokens() -> None:
    found = model_calls.kept(context({"inputTokens": 5}), NOTHING, status(7, 2))
    assert found.usage == {"inputTokens": 5, "modelCalls": 7, "modelCallsCapped": True}
    assert found.calls_base == 2
    found = model_calls.kept(context({"inputTokens": 5, "modelCalls": 3}), NOTHING, status(7, 2), Usage(10, 0, 4))
    assert found.usage
    assert (found.usage["inputTokens"], found.usage["modelCalls"]) == (10, 7)


@pytest.mark.parametrize("seen", [JobStatus(JobState.LOST), status(2, 0), status(capped=False)])
def test_the_count_never_falls(seen: JobStatus) -> None:
    usage = model_calls.kept(context({"modelCalls": 9}), NOTHING, seen).usage
    assert usage
    assert usage["modelCalls"] == 9


def test_a_job_that_asks_no_model_says_nothing() -> None:
    before = SubmitCheckpoint(usage={"modelCalls": 3}, calls_base=1)
    assert model_calls.kept(context(), before, JobStatus(JobState.ENDED)) == before


def test_only_a_persons_retry_begins_a_new_allowance() -> None:
    assert model_calls.base(context(), NOTHING) is None
    begun = SubmitCheckpoint(attempt=1, calls_base=0)
    assert model_calls.base(context(number=2), begun) == 0
    assert model_calls.base(context(retry=True, number=2), begun) is None
    # Once its first job has been started the attempt has a base of its own.
    usage, later = {"modelCalls": 410}, SubmitCheckpoint(attempt=2, calls_base=400)
    assert model_calls.base(context(usage, retry=True, number=2), later) == 400
    assert model_calls.base(context(usage, number=3), later) == 400


def test_what_another_run_had_made_gives_a_forced_start_no_more() -> None:
    assert model_calls.base(context(None, number=2), SubmitCheckpoint(attempt=1, calls_base=400)) == 0
