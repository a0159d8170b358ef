"""Sets the boxes that the verdicts allow, in tasks.md as it was at the starting commit."""

from collections.abc import Iterable

from moonmind.speckit.tasks_md import read_tasks, tick
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement


def ticked(plan: Plan, before: bytes, judgements: Iterable[Judgement]) -> bytes:
    """Return the file with the boxes of tasks that the judgements tick ticked, and every other byte unchanged."""
    wanted = {item.key for item in judgements if item.verdict.ticks}
    file = read_tasks(before, name=plan.feature.tasks_path)
    return tick(before, [task for task in plan.spec_tasks(file) if task.key in wanted])
