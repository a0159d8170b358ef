"""Many files that a change deletes or empties, although no task asks for it."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from moonmind.proof.policy.changed_path import REGULAR, ChangedPath

MANY = 20
FEW = 5
_SHARE = 3
_EMPTY = 4
"""Bytes of a file in which nothing is left but a line end or two."""


def mass_deletion(
    changes: Collection[ChangedPath], sizes: Mapping[str, int], asked: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return a path for the whole of them, and how many are lost; None where few are.

    A file of the same name that is added elsewhere was moved. `sizes` are the bytes of all files after the change.
    """
    moved = Counter(_name(change.path) for change in changes if change.status == "A")
    lost = []
    for change in sorted(changes, key=lambda one: one.path):
        gone = change.status == "D"
        emptied = (
            change.status == "M"
            and change.new_mode in REGULAR
            and sizes.get(change.path, 0) <= _EMPTY
            and (change.deleted > 0 or change.added < 0)
        )
        if not (gone or emptied) or asked(change.path):
            continue
        if gone and moved[_name(change.path)] > 0:
            moved[_name(change.path)] -= 1
            continue
        lost.append(change.path)
    before = len(sizes) + sum(one.status == "D" for one in changes) - sum(one.status == "A" for one in changes)
    if len(lost) < FEW or (len(lost) < MANY and len(lost) * _SHARE < before):
        return None
    named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    return _folder(lost), f"{len(lost)} of {before} files are deleted or emptied, and no task asks for it: {named}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(paths: Collection[str]) -> str:
    """Return the folder that holds them all, `.` for the repository."""
    shared: list[str] | None = None
    for path in paths:
        parts = path.split("/")[:-1]
        if shared is None:
            shared = parts
        while parts[: len(shared)] != shared:
            shared.pop()
    return "/".join(shared or ()) or "."
