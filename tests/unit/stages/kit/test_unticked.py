from uuid import UUID

import pytest

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.stage_results import Judgement
from moonmind.stages.kit.unticked import no_progress_error
from tests.support.plans import a_plan

RUN = UUID("12345678-2222-4333-8444-555555555555")


@pytest.mark.parametrize(
    ("count", "part", "said"),
    [
        (1, "", "none of the task of Phase 3."),
        (10, "", "none of the 10 tasks of Phase 3."),
        (1, "1 of 31 open tasks", "none of the task that it was given of Phase 3."),
        (10, "10 of 31 open tasks", "none of the 10 tasks that it was given of Phase 3."),
    ],
)
def test_tasks_of_a_part_are_not_counted_as_the_phases(count: int, part: str, said: str) -> None:
    judged = [Judgement(f"T{n:03}", n, Verdict.OPEN, "unchanged") for n in range(1, count + 1)]
    error = no_progress_error(a_plan(phase="Phase 3", part=part), judged, RUN)
    assert error.message.startswith(f"The run ticked {said}")


@pytest.mark.parametrize(
    ("ids", "command"),
    [
        (["T003"], "moonmind accept 12345678 T003 --why"),
        (["T003", "US1.2", "L7"], "moonmind accept 12345678 T003 US1.2 L7 --why"),
        (["$(reboot)", "T1"], "moonmind accept 12345678 T1 --why"),
        (["-f", "`x`", ""], "moonmind accept 12345678 TASK --why"),
    ],
)
def test_what_was_held_back_comes_with_the_command_that_accepts_it(ids: list[str], command: str) -> None:
    judged = [Judgement(one, n, Verdict.CLAIMED, "said so", held="no") for n, one in enumerate(ids, 1)]
    error = no_progress_error(a_plan(phase="Phase 3"), [*judged, Judgement("T9", 99, Verdict.OPEN, "unchanged")], RUN)
    assert command in error.info().remediation
    assert "T9" not in command
