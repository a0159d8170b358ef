"""Reads an agent's folder into a commit. Everything in the folder may be hostile, its `.git` first of all."""

import os
import shutil
import stat
from pathlib import Path
from uuid import UUID

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.commits import Commits, wip_message
from moonmind.adapters.vcs.objects import GITLINK, Objects, raw_name
from moonmind.adapters.vcs.workspaces import BASE_INDEX, Record, require_folder
from moonmind.errors import VcsRefused
from moonmind.ports.vcs import Workspace

LARGEST_FILE = 50 * 1024 * 1024
"""Bytes. Forges warn from here on, and no phase of tasks needs more."""


class Capture:
    """Takes a folder back with the service's git directory; objects go straight to the mirror, where `wip` is pinned.

    What the repository's ignore rules leave out is left out, as a developer's `git add --all` would. No filter, hook or
    configuration of the agent's is looked at, and no command ever runs inside a repository that the agent made.
    """

    def __init__(self, git: Git, objects: Objects, commits: Commits) -> None:
        self._git, self._objects, self._commits = git, objects, commits

    def take(self, mirror: Path, run_id: UUID, workspace: Workspace, record: Record) -> str:
        """Commit the folder as it is now on its starting commit."""
        require_folder(workspace.path)
        index = workspace.git_dir / "capture.index"
        # With its times: git takes a file for unchanged only if the index is younger than it.
        shutil.copy2(workspace.git_dir / BASE_INDEX, index)
        where = {"GIT_INDEX_FILE": str(index), "GIT_OBJECT_DIRECTORY": str(mirror / "objects")}
        self._refuse_what_cannot_be_taken(workspace, where)
        self._git.run("add", "--all", git_dir=workspace.git_dir, work_tree=workspace.path, environment=where)
        self._keep_gitlinks(workspace, record, where)
        tree = self._git.run("write-tree", git_dir=workspace.git_dir, environment=where).text.strip()
        self._refuse_strange_names(mirror, record.starting_commit, tree)
        date = self._objects.date(mirror, record.starting_commit)
        parent = record.starting_commit
        return self._commits.write(mirror, tree=tree, parent=parent, message=wip_message(run_id), date=date)

    def _refuse_what_cannot_be_taken(self, workspace: Workspace, where: dict[str, str]) -> None:
        listed = self._git.run(
            "ls-files", "-z", "--cached", "--others", "--exclude-standard",
            git_dir=workspace.git_dir, work_tree=workspace.path, environment=where,
        )  # fmt: skip
        if "could not open directory" in listed.error_text:
            raise VcsRefused(
                "a folder that the agent left cannot be read, so its changes cannot be known",
                stderr=listed.error_text[-500:],
            )
        top = os.fsencode(workspace.path)
        real: dict[bytes, bool] = {b"": True}
        for name in set(listed.stdout.split(b"\0")) - {b""}:
            if not _under_real_folders(top, os.path.dirname(name), real):  # noqa: PTH120 - names are bytes
                continue
            try:
                entry = os.lstat(os.path.join(top, name))  # noqa: PTH118 - names are bytes
            except FileNotFoundError:
                continue
            shown = name.decode("utf-8", "backslashreplace")
            if stat.S_ISREG(entry.st_mode) and entry.st_size > LARGEST_FILE:
                raise VcsRefused(
                    f"{shown} has {entry.st_size} bytes; at most {LARGEST_FILE} can be taken",
                    path=shown,
                    size=entry.st_size,
                )
            if not (stat.S_ISREG(entry.st_mode) or stat.S_ISLNK(entry.st_mode) or stat.S_ISDIR(entry.st_mode)):
                raise VcsRefused(f"{shown} is neither file, link nor folder", path=shown)

    def _keep_gitlinks(self, workspace: Workspace, record: Record, where: dict[str, str]) -> None:
        """Put back the repository's own gitlinks where their folders are as empty as they were handed out."""
        for path, commit in record.gitlinks.items():
            folder = workspace.path / path
            if not _under_real_folders(os.fsencode(workspace.path), raw_name(path), {b"": True}):
                continue
            taken = self._git.run("ls-files", "-z", "--", path, git_dir=workspace.git_dir, environment=where).stdout
            if taken or any(folder.iterdir()):
                continue
            entry = f"{GITLINK} {commit}\t".encode() + raw_name(path) + b"\0"
            self._git.run(
                "update-index", "-z", "--index-info", git_dir=workspace.git_dir, environment=where, data=entry
            )

    def _refuse_strange_names(self, mirror: Path, start: str, tree: str) -> None:
        done = self._git.run(
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            self._objects.tree(mirror, start),
            tree,
            git_dir=mirror,
        )
        for name in done.stdout.split(b"\0"):
            try:
                name.decode("utf-8")
            except UnicodeDecodeError:
                shown = name.decode("utf-8", "backslashreplace")
                raise VcsRefused(f"the file name {shown!r} is not UTF-8", path=shown) from None


def _under_real_folders(top: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Return True if a path below `top` goes through folders only, no link among them."""
    asked = []
    while folder not in known:
        asked.append(folder)
        folder = os.path.dirname(folder)  # noqa: PTH120 - names are bytes
    real = known[folder]
    for below in reversed(asked):
        if real:
            try:
                real = stat.S_ISDIR(os.lstat(os.path.join(top, below)).st_mode)  # noqa: PTH118 - names are bytes
            except OSError:  # not there, not to be reached, or a name that is too long
                real = False
        known[below] = real
    return real
