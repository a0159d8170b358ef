"""Lists what a capture does not: what ignore rules hide, with the rule, and what changed where no commit can be made."""

import shutil

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.generated import Generated
from moonmind.adapters.vcs.notes import shown
from moonmind.adapters.vcs.work_tree import WorkTree
from moonmind.adapters.vcs.workspaces import BASE_INDEX, require_folder
from moonmind.errors import VcsError
from moonmind.ports.vcs import LeftOut, Workspace

_MOST = 20


def hidden_files(git: Git, workspace: Workspace) -> tuple[LeftOut, ...]:
    """List the hidden files and folders, the first of many; what tools made is passed over."""
    require_folder(workspace.path)
    tree = WorkTree(git, workspace.git_dir, workspace.path)
    index = workspace.git_dir / "listing.index"
    shutil.copy2(workspace.git_dir / BASE_INDEX, index)
    tracked = set(tree.tracked(index))
    tree.untracked(index)  # tells git of the repositories inside the folder
    generated = Generated(tree, tracked)
    found = tree.hidden(index, skip=generated.made, most=_MOST)
    return tuple(LeftOut(shown(name), "ignored", f"{rule} hides it") for name, rule in found)


def changed_files(git: Git, workspace: Workspace) -> list[bytes]:
    """List what differs from the starting commit, except what tools made; without git if that fails."""
    tree = WorkTree(git, workspace.git_dir, workspace.path)
    base = workspace.git_dir / BASE_INDEX
    tracked: set[bytes] = set()
    try:
        index = workspace.git_dir / "listing.index"
        shutil.copy2(base, index)
        tracked = set(tree.tracked(base))
        names = [*tree.changed(base), *tree.untracked(index).names]
    except VcsError:
        names = tree.walk(base.stat().st_mtime_ns)
    generated = Generated(tree, tracked)
    return [name for name in names if name in tracked or not generated.made(name)]
