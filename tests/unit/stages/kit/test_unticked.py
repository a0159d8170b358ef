import pytest

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.stage_results import Judgement
from moonmind.stages.kit.unticked import no_progress_error
from tests.support.plans import a_plan


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
    assert no_progress_error(a_plan(phase="Phase 3", part=part), judged).message.startswith(f"The run ticked {said}")
