"""A retry that would only end as the stage did before is known by what the stage wrote."""

from typing import Any

import pytest

from moonmind.errors import ErrorInfo
from moonmind.runs.machine import RetryMode
from moonmind.runs.repetition import RetryHelps, repeats

PATCH = "patches/agent-1.diff"
WITH_NOTES = RetryHelps.WITH_NOTES.details(PATCH)
NEVER = RetryHelps.NEVER.details()


def repeated(details: dict[str, Any], mode: RetryMode, *, new_notes: bool, kept: str = PATCH) -> bool:
    error = ErrorInfo("no_progress", "nothing was ticked", "Tick it.", details)
    return repeats(error, mode, new_notes=new_notes, kept=lambda path: path == kept) is not None


@pytest.mark.parametrize(
    ("details", "without", "with_notes"),
    [
        ({}, False, False),
        ({**NEVER, "retry": "by a later program"}, False, False),
        ({**NEVER, "retry": ["never"]}, False, False),
        (WITH_NOTES, True, False),
        (NEVER, True, True),
    ],
)
def test_a_repetition_is_one_in_the_failed_stage_alone(
    details: dict[str, Any], without: bool, with_notes: bool
) -> None:
    for new_notes, expected in ((False, without), (True, with_notes)):
        assert repeated(details, RetryMode.RESUME_FAILED_TASK, new_notes=new_notes) is expected
        assert not repeated(details, RetryMode.RESTART_FROM_DISCOVERY, new_notes=new_notes)


@pytest.mark.parametrize("details", [WITH_NOTES, NEVER])
@pytest.mark.parametrize("version", ["0.0.9", "99.1", None, 1])
def test_another_version_may_judge_otherwise(details: dict[str, Any], version: object) -> None:
    assert not repeated({**details, "version": version}, RetryMode.RESUME_FAILED_TASK, new_notes=False)


@pytest.mark.parametrize("patch", ["patches/attempt-2.diff", None, ["patches/agent-1.diff"]])
def test_without_the_patch_that_would_be_judged_again_nobody_can_tell(patch: object) -> None:
    assert not repeated({**WITH_NOTES, "patch": patch}, RetryMode.RESUME_FAILED_TASK, new_notes=False)
