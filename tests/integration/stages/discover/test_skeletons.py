"""Real projects' trees in repositories: discover takes up, asks and leaves what a careful reader would."""

from pathlib import Path
from typing import Any

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, NothingToDo, Outcome
from moonmind.stages.discover.discover import preview
from moonmind.stages.kit.plan import Plan
from tests.support.skeletons import EXPECTED, judge, skeleton
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World


def report_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome in the form of `speckit next --json`."""
    match outcome:
        case Done():
            plan = Plan.read(outcome.result)
            return {
                "answer": "work",
                "feature": plan.feature.path,
                "phase": plan.phase,
                "tasks": [task.id for task in plan.tasks],
                "notes": list(plan.warnings),
            }
        case NothingToDo(reason, result):
            answer = "people_only" if "Only tasks" in reason else "nothing_left"
            return {"answer": answer, "feature": result.get("featureKey"), "phase": None, "tasks": [], "reason": reason}
        case Ask(_, text, options):
            told = {"reason": text, "options": [[option.value, option.text] for option in options]}
            return {"answer": "ask", "feature": None, "phase": None, "tasks": [], **told}
        case _:
            raise AssertionError(outcome)


@pytest.mark.parametrize("name", EXPECTED)
def test_preview_and_discover_answer_as_a_careful_reader(name: str, tmp_path: Path) -> None:
    skeleton(name).commit(tmp_path / "repositories" / f"{REPOSITORY}.git")
    world = World(tmp_path)
    world.requested = ""
    previewed = preview(world.context(Stage.DISCOVER)).answer
    assert judge(name, previewed) == "right", previewed
    report = report_of(world.step(Stage.DISCOVER))
    assert judge(name, report) == "right", report
    assert (report["answer"], report["phase"], report["tasks"]) == tuple(
        previewed[part] for part in ("answer", "phase", "tasks")
    )
