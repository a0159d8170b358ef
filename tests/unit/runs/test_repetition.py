"""A retry that would only end as the stage did before is known by what the stage wrote."""

from typing import Any

import pytest

from moonmind.errors import ErrorInfo
from moonmind.runs.machine import RetryMode
from moonmind.runs.repetition import RetryHelps, repeats


@pytest.mark.parametrize(
    ("details", "without", "with_notes"),
    [
        ({}, False, False),
        ({"retry": "by a later program"}, False, False),
        ({"retry": ["never"]}, False, False),
        (RetryHelps.WITH_NOTES.detail(), True, False),
        (RetryHelps.NEVER.detail(), True, True),
    ],
)
def test_a_repetition_is_one_in_the_failed_stage_alone(
    details: dict[str, Any], without: bool, with_notes: bool
) -> None:
    error = ErrorInfo("no_progress", "nothing was ticked", "Tick it.", details)
    for new_notes, repeated in ((False, without), (True, with_notes)):
        assert bool(repeats(error, RetryMode.RESUME_FAILED_TASK, new_notes=new_notes)) is repeated
        assert repeats(error, RetryMode.RESTART_FROM_DISCOVERY, new_notes=new_notes) is None
