"""Plans and changes for tests, with everything but the point of the test filled in."""

from datetime import UTC, datetime
from typing import Any

from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Change
from moonmind.speckit.features import Feature
from moonmind.stages.kit.plan import Plan, PlanTask
from moonmind.stages.kit.stage_results import ApplyResult, ChangedFile

KEY = "spec-42-refresh-docs"
FOLDER = f"specs/{KEY}"
FEATURE = Feature(KEY, FOLDER, f"{FOLDER}/tasks.md", f"{FOLDER}/spec.md", f"{FOLDER}/plan.md")


def a_task(task_id: str = "T001", line: int = 10, text: str = "Do it", **more: Any) -> PlanTask:
    """Make a spec task of a plan."""
    return PlanTask(task_id, line, text, **more)


def a_plan(*tasks: PlanTask, **changed: Any) -> Plan:
    """Make a plan of the sample's first phase."""
    values: dict[str, Any] = {
        "repository": Repository("acme/demo", "file:///srv/acme/demo.git", "main"),
        "feature": FEATURE,
        "phase": "Phase 1: Setup (Shared Infrastructure)",
        "tasks": tasks or (a_task(),),
        "base": "main",
        "starting_commit": "a" * 40,
        "branch": f"moonmind/{KEY}",
        "branch_tip": None,
        "documents": {f"{FOLDER}/spec.md": "spec"},
        "hashes": {"spec": "1", "plan": None, "tasks": "3"},
    }
    return Plan(**(values | changed))


def a_change(
    path: str, status: str = "A", mode: str = "100644", link: str | None = None, old: str = "000000"
) -> Change:
    """Make one changed path."""
    return Change(path, status, old, "000000" if status == "D" else mode, 1, 0, link)


def an_apply_result(**changed: Any) -> ApplyResult:
    """Make what apply records of a change of one file."""
    values: dict[str, Any] = {
        "verdicts": (),
        "ticked": (),
        "files": (ChangedFile("a.py", "A", 3, 1),),
        "added": 3,
        "deleted": 1,
        "commit": "c" * 40,
        "message": "Do it",
        "committed_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return ApplyResult(**(values | changed))
