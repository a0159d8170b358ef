"""`speckit reconcile`: which open boxes of a checkout may be ticked by what is there; nothing is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moonmind.cli.checkout_git import WorkTree, as_stored
from moonmind.cli.speckit.bounded_reading import read_file
from moonmind.cli.speckit.checkout import Checkout
from moonmind.cli.terminal_text import one_line
from moonmind.errors import SpecUnreadable
from moonmind.proof.substance import LARGEST
from moonmind.proof.tick_proposals import TickDoubt, TickProposal, tick_proposals
from moonmind.speckit.feature import Feature
from moonmind.speckit.tree import Tree

_SHOWN = 12
"""Digits of a commit's name."""

Found = tuple[tuple[TickProposal, ...], tuple[TickDoubt, ...]]


def examine(checkout: Checkout, feature: Feature) -> Found:
    """Look at the files that the feature's open tasks name; raises SpecUnreadable for a tasks.md that cannot be read."""
    file = checkout.file(feature)
    if isinstance(file, SpecUnreadable):
        raise file

    def read(path: str) -> bytes | None:
        content = checkout.read(path, LARGEST)
        return content if content is not None and len(content) <= LARGEST else None

    return tick_proposals(feature, file, Tree(checkout.listing), read)


@dataclass(frozen=True, slots=True)
class Head:
    """The commit that is checked out, and whether the feature's tasks.md differs from its own."""

    commit: str
    differs: bool


def head_of(checkout: Checkout, feature: Feature, environment: Mapping[str, str]) -> Head | None:
    """Compare tasks.md with the commit that is checked out; None where there is none."""
    tree = WorkTree.around(checkout.root, environment)
    commit = tree.head() if tree is not None else None
    if tree is None or commit is None:
        return None
    committed = tree.file_at(commit, (checkout.root.relative_to(tree.top) / feature.tasks_path).as_posix())
    now = read_file(checkout.root / feature.tasks_path)
    return Head(commit, committed is None or as_stored(committed) != as_stored(now))


def report(feature: Feature, head: Head | None, found: Found) -> dict[str, Any]:
    """Report it for programs."""
    proposals, doubts = found
    return {
        "feature": feature.path,
        "commit": None if head is None else head.commit,
        "tasks_differ": None if head is None else head.differs,
        "proposals": [
            {
                "id": one.task.id,
                "line": one.task.line,
                "text": one.task.text,
                "files": list(one.files),
                "evidence": one.evidence,
            }
            for one in proposals
        ],
        "doubts": [{"id": one.task.id, "line": one.task.line, "because": one.because} for one in doubts],
    }


def sheet(feature: Feature, head: Head | None, found: Found) -> RenderableType:
    """Draw the proposals, and why other boxes are not proposed."""
    proposals, doubts = found
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="green")
    for one in proposals:
        table.add_row(Text(one_line(one.task.id), "bold"), Text(one_line(one.task.text)), Text(one_line(one.evidence)))
    none = Text(f"no open task of {one_line(feature.path)} names files that are all there", "yellow")
    return Group(
        Text(one_line(feature.path), "bold"),
        *([] if head is None else [_compared(feature, head)]),
        Text(""),
        table if proposals else none,
        *([Text("")] if doubts else []),
        *(Text(f"{one_line(one.task.id)} is not proposed: {one_line(one.because)}", "dim") for one in doubts),
        *([Text("\nTick one with `speckit tick ID`; nothing was changed.", "dim")] if proposals else []),
    )


def _compared(feature: Feature, head: Head) -> Text:
    name, path = head.commit[:_SHOWN], one_line(feature.tasks_path)
    if head.differs:
        return Text(f"HEAD is commit {name}; {path} differs from it", "yellow")
    return Text(f"HEAD is commit {name}; {path} is as committed there", "dim")
