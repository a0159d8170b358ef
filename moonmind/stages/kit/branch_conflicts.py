"""Branch names that cannot stand beside each other: found before an agent is paid, and again where a push is refused."""

import shlex
from collections.abc import Iterable

from moonmind.errors import BranchConflict
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.harmless_text import one_line

_SHOWN = 5


def conflicts(branch: str, existing: Iterable[str]) -> tuple[str, ...]:
    """List the existing branches that keep a new one from being made, sorted.

    Git keeps a branch as a file of its name: `a` leaves no room for `a/b`, nor `a/b` for `a`. Upper and lower case are
    taken for the same, as file systems of macOS and Windows do: a forge there refuses the push, and everywhere else the
    fetch of whoever works on one fails.
    """
    new = branch.casefold()
    return tuple(
        sorted(
            name
            for name in existing
            if name != branch
            and ((old := name.casefold()) == new or new.startswith(f"{old}/") or old.startswith(f"{new}/"))
        )
    )


def refuse_conflicts(branch: str, existing: Iterable[str], default_branch: str) -> None:
    """Raise BranchConflict, with the commands that make room, where a new branch cannot be made."""
    names = tuple(existing)
    found = conflicts(branch, names)
    if not found:
        return
    shown = ", ".join(one_line(storable(name), 120) for name in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise BranchConflict(
        f"The branch {branch} cannot be made beside {shown}{more}: {_why(branch, found[0])}.",
        remediation=_remedy(found, names, default_branch),
        branch=branch,
        conflicts=[storable(name) for name in found[:50]],
    )


def _why(branch: str, other: str) -> str:
    if other.casefold() == branch.casefold():
        return "the names differ in upper and lower case only, which macOS, Windows and some forges take for the same"
    return "git takes no branch whose name is another branch's folder"


def _remedy(found: tuple[str, ...], existing: tuple[str, ...], default_branch: str) -> str:
    if default_branch in found:
        return f"Rename the default branch {default_branch} in the repository's settings, then retry the run."
    if any(not name.isprintable() or storable(name) != name for name in found):
        return "Rename or delete the named branches on the forge's page of branches, then retry the run."
    delete = shlex.join(["git", "push", "origin", "--delete", *(f"refs/heads/{name}" for name in found[:_SHOWN])])
    if len(found) > 1:
        which = f", the first {_SHOWN} of them with" if len(found) > _SHOWN else ":"
        return f"Rename these branches, or delete them{which} `{delete}`. Then retry the run."
    (name,) = found
    moved = (f"refs/remotes/origin/{name}:refs/heads/{_free(name, existing)}", f":refs/heads/{name}")
    rename = shlex.join(["git", "push", "origin", *moved])
    return (
        f"Rename it: `git fetch origin && {rename}`. Or delete it, if nobody needs it: `{delete}`. Then retry the run."
    )


def _free(name: str, existing: tuple[str, ...]) -> str:
    """Return a new name for a branch that is in the way: of one part, and nobody's yet."""
    taken = {one.casefold() for one in existing}
    stem = f"{name.replace('/', '-')}-old"
    number = 1
    while (new := stem if number == 1 else f"{stem}-{number}").casefold() in taken:
        number += 1
    return new
