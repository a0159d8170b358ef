"""What stages leave in rows, as earlier programs wrote it."""

from typing import Any

import pytest

from moonmind.engine.stage_state import StageState
from moonmind.errors import Unexpected
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, SubmitCheckpoint, SubmitResult
from tests.support.plans import a_plan, an_apply_result


@pytest.mark.parametrize(
    ("written", "nulls"),
    [
        (a_plan(documents={}, hashes={}), {"documents": None, "hashes": None, "called": None, "warnings": None}),
        (SubmitResult(), {"leftOut": None, "report": None, "usage": None}),
        (SubmitCheckpoint(), {"v": None, "spentJobs": None, "finishedJob": None, "partialPatch": None}),
        (an_apply_result(), {"accepted": None, "warnings": None, "patchPath": None}),
    ],
    ids=["plan", "submit", "checkpoint", "apply"],
)
def test_none_stands_for_what_an_earlier_program_did_not_have(written: StageState, nulls: dict[str, Any]) -> None:
    assert type(written).read({**written.stored(), **nulls}) == written


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (SubmitResult, {"v": 2}),
        (SubmitResult, {}),
        (ApplyResult, {"v": 1, "verdicts": [{"verdict": "proven", "because": 3}]}),
        (Plan, {"v": 1, "feature": "042"}),
    ],
)
def test_what_no_program_of_ours_wrote_is_refused_with_what_to_do(
    kind: type[StageState], stored: dict[str, Any]
) -> None:
    with pytest.raises(Unexpected, match="recorded") as refused:
        kind.read(stored)
    assert "restart_from_discovery" in refused.value.advice


@pytest.mark.parametrize("version", [2, 99])
def test_a_job_is_found_whatever_version_its_checkpoint_has(version: int) -> None:
    found = SubmitCheckpoint.read({"v": version, "jobKey": "run/submit-1", "more": [1]})
    assert found.job_key == "run/submit-1"
