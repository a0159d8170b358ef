"""Many files that a change deletes or empties, although no task asks for it."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping

from moonmind.proof.policy.changed_path import REGULAR, ChangedPath

MANY = 20
FEW = 5
_SHARE = 3
_EMPTY = 4
"""Bytes of a file in which nothing is left but a line end or two."""
_KEPT = 2
"""A moved file has at least one in so many of its lines."""


def mass_deletion(
    changes: Collection[ChangedPath], sizes: Mapping[str, int], asked: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return a path for the whole of them, and how many are lost; None where few are.

    A file of the same name and about as long that is added elsewhere was moved. `sizes` are the bytes of all files after the change.
    """
    new: dict[str, list[int]] = {}
    for change in changes:
        if change.status == "A":
            new.setdefault(_name(change.path), []).append(change.added)
    for lengths in new.values():
        lengths.sort()
    lost = []
    for change in sorted(changes, key=lambda one: one.path):
        gone = change.status == "D"
        if not (gone or _emptied(change, sizes.get(change.path, 0))) or asked(change.path):
            continue
        if gone and _moved(change, new.get(_name(change.path), [])):
            continue
        lost.append(change.path)
    before = len(sizes) + sum(one.status == "D" for one in changes) - sum(one.status == "A" for one in changes)
    if len(lost) < FEW or (len(lost) < MANY and len(lost) * _SHARE < before):
        return None
    named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    return _folder(lost), f"{len(lost)} of {before} files are deleted or emptied, and no task asks for it: {named}"


def _emptied(change: ChangedPath, size: int) -> bool:
    """Return True if next to nothing is left of a file, as after its code became `pass`."""
    if change.status != "M" or change.new_mode not in REGULAR:
        return False
    if size <= _EMPTY:
        return change.deleted > 0 or change.added < 0
    # A byte for each line that is gone: about a thirtieth of what the file held.
    return change.deleted >= 5 * max(change.added, 1) and size <= change.deleted


def _moved(change: ChangedPath, lengths: list[int]) -> bool:
    """Take the shortest new file of this name that may be the deleted one; lines of binary files are not known."""
    least = change.deleted if change.deleted < 0 else -(-change.deleted // _KEPT)
    at = bisect_left(lengths, least)
    if at == len(lengths) or (lengths[at] < 0) is not (change.deleted < 0):
        return False
    del lengths[at]
    return True


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
