"""Trees before and after a change, written down as texts by path."""

from collections.abc import Mapping

from moonmind.ports.vcs import Change
from moonmind.speckit.evidence import evidence_of
from moonmind.stages.apply.effects import ChangedTree, changed_tree
from moonmind.stages.kit.plan import PlanTask

FEATURE = "specs/001-shop"


def a_spec_task(text: str, task_id: str = "T001", line: int = 10) -> PlanTask:
    """Make a task as discover plans it from its text."""
    found = evidence_of(task_id, text, FEATURE)
    return PlanTask(task_id, line, text, found.targets, found.references, found.removals, found.gone)


def a_tree(before: Mapping[str, str], after: Mapping[str, str], *tasks: PlanTask, mode: str = "100644") -> ChangedTree:
    """Look into the change between two trees as apply does; `mode` is that of the files afterwards."""
    changes = [
        Change(
            path,
            "A" if path not in before else "D" if path not in after else "M",
            "100644" if path in before else "000000",
            mode if path in after else "000000",
            1,
            1,
        )
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path) or (path in after and mode != "100644")
    ]

    def read(of_work: bool, path: str) -> bytes | None:
        return (after if of_work else before)[path].encode()

    sizes = {path: len(text) for path, text in after.items()}
    return changed_tree(changes, sizes, FEATURE, [name for task in tasks for name in task.targets], read)
