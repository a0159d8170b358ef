"""Version control with the git program: mirrors, workspaces and publishing behind the one port."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from moonmind.adapters.git import Git, GitOptions
from moonmind.adapters.vcs.archive import write_archive
from moonmind.adapters.vcs.attributes import Attributes
from moonmind.adapters.vcs.capture import Taker
from moonmind.adapters.vcs.commits import Commits, wip_message
from moonmind.adapters.vcs.ignored_files import changed_files, hidden_files
from moonmind.adapters.vcs.merge_outlook import Outlook
from moonmind.adapters.vcs.mirrors import Mirrors, object_name
from moonmind.adapters.vcs.objects import Objects, is_plain, raw_name
from moonmind.adapters.vcs.push import Publisher
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.adapters.vcs.work_tree import WorkTree
from moonmind.adapters.vcs.workspaces import Workspaces, is_folder
from moonmind.errors import VcsError, VcsRefused
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Archived, Capture, Change, Commit, LeftOut, MergeOutlook, TreeFile, Workspace

_OLDEST = (2, 36)
"""The first git with the `core.fsync` setting."""


class GitVcs:
    """The `Vcs` port over the git program."""

    def __init__(self, options: VcsOptions) -> None:
        state = options.state_folder
        self._git = Git(GitOptions(state / "git-home", options.scheme, options.environment, options.redactor))
        self._redactor = options.redactor
        self._objects = Objects(self._git)
        self._mirrors = Mirrors(self._git, state / "mirrors", options)
        self._commits = Commits(self._git, self._objects, state / "scratch")
        self._outlook = Outlook(self._git, self._objects, state / "scratch")
        self._workspaces = Workspaces(self._git, state / "workspaces", self._mirrors, self._objects, self._commits)
        self._attributes = Attributes(self._git, self._objects, state / "scratch")
        self._taker = Taker(self._git, self._objects, self._commits, self._attributes)
        self._publisher = Publisher(self._git, self._mirrors, self._objects)

    def check(self) -> tuple[Check, ...]:
        """Probe the git binary and its version."""
        needed = ".".join(map(str, _OLDEST))
        try:
            said = self._git.run("version", git_dir=None).text.strip()
        except VcsError as error:
            return (Check("git.binary", CheckStatus.FAILED, error.message, f"Install git {needed} or newer."),)
        found = re.search(r"(\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < _OLDEST:
            return (Check("git.binary", CheckStatus.FAILED, f"{said} is too old", f"Install git {needed} or newer."),)
        return (Check("git.binary", CheckStatus.PASSED, said, facts={"git": said.removeprefix("git version ")}),)

    def fetch(self, repository: Repository) -> None:
        """Bring the mirror up to date with all branches."""
        self._mirrors.fetch(repository)

    def branches(self, repository: str) -> Mapping[str, str]:
        """Map the mirrored branch names to their commits."""
        return self._mirrors.branches(repository)

    def listing(self, repository: str, commit: str) -> tuple[TreeFile, ...]:
        """List every file of a commit."""
        return self._objects.listing(self._mirrors.existing(repository), commit)

    def read(self, repository: str, commit: str, path: str, *, limit: int = 4 * 1024 * 1024) -> bytes | None:
        """Read one regular file of a commit."""
        return self._objects.read(self._mirrors.existing(repository), commit, path, limit)

    def blobs(self, repository: str, object_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Read the contents of a listing's files by their object ids."""
        return self._objects.blobs(self._mirrors.existing(repository), object_ids)

    def holding(self, repository: str, places: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return those pairs of commit and path at which there is a file or a link."""
        return self._objects.holding(self._mirrors.existing(repository), places)

    def is_ancestor(self, repository: str, older: str, newer: str) -> bool:
        """Return True if `older` is reachable from `newer`."""
        return self._objects.is_ancestor(self._mirrors.existing(repository), older, newer)

    def history(self, repository: str, newer: str, older: str, *, files: str, limit: int) -> tuple[Commit, ...]:
        """List the commits that `newer` holds and `older` lacks, newest first."""
        return self._objects.history(self._mirrors.existing(repository), newer, older, files, limit)

    def changed_at(self, repository: str, commit: str, folder: str) -> datetime | None:
        """Return when a folder was changed last in a commit's history."""
        return self._objects.changed_at(self._mirrors.existing(repository), commit, folder)

    def merge_outlook(self, repository: str, commit: str, into: str) -> MergeOutlook:
        """Return how far a commit is behind another one, and whether the two merge cleanly."""
        return self._outlook.of(self._mirrors.existing(repository), commit, into)

    def open_workspace(self, repository: str, run_id: UUID, commit: str, *, resume: str | None = None) -> Workspace:
        """Make the run's folder at a commit, or find it."""
        return self._workspaces.open(repository, run_id, object_name(commit), resume)

    def check_out(self, repository: str, commit: str, folder: Path) -> None:
        """Write a commit's files to a folder that is not there yet."""
        self._workspaces.check_out(repository, object_name(commit), folder)

    def find_workspace(self, repository: str, run_id: UUID) -> Workspace | None:  # noqa: ARG002 - run ids are unique
        """Find the run's folder if it is on this host, and still a folder."""
        found = self._workspaces.find(run_id)
        return found[0] if found is not None and is_folder(found[0].path) else None

    def capture(self, repository: str, run_id: UUID, workspace: Workspace, *, named: Collection[str] = ()) -> Capture:
        """Write the folder as it is now to the run's `wip`."""
        mirror = self._mirrors.existing(repository)
        with self._workspaces.lock(run_id):
            found = self._workspaces.find(run_id)
            if found is None or found[0] != workspace:
                raise VcsRefused(f"the workspace of run {run_id} is not on this host, or was created again")
            taken = self._taker.take(mirror, run_id, *found, named)
        self._mirrors.pin(repository, run_id, "wip", taken.commit)
        return taken

    def archive(
        self,
        repository: str,  # noqa: ARG002 - run ids are unique
        run_id: UUID,
        workspace: Workspace,
        into: BinaryIO,
        *,
        names: Sequence[str] | None = None,
    ) -> Archived:
        """Write files of the folder as a compressed archive."""
        with self._workspaces.lock(run_id):
            tree = WorkTree(self._git, workspace.git_dir, workspace.path)
            chosen = changed_files(self._git, workspace) if names is None else map(raw_name, filter(is_plain, names))
            return write_archive(tree, chosen, into, self._redactor)

    def lost_folder(self, repository: str, run_id: UUID) -> bool:  # noqa: ARG002 - run ids are unique
        """Return True if the run's folder is gone although this host opened it."""
        found = self._workspaces.find(run_id)
        return found is not None and not is_folder(found[0].path)

    def hidden(self, repository: str, run_id: UUID, workspace: Workspace) -> tuple[LeftOut, ...]:  # noqa: ARG002 - run ids are unique
        """List what ignore rules hide in the folder, each with its rule."""
        with self._workspaces.lock(run_id):
            return hidden_files(self._git, workspace)

    def wip(self, repository: str, run_id: UUID) -> str | None:
        """Return the pinned `wip` commit of a run."""
        return self._mirrors.pinned(repository, run_id, "wip")

    def changes(self, repository: str, before: str, after: str) -> tuple[Change, ...]:
        """List what differs between two commits, in path order."""
        return self._objects.changes(self._mirrors.existing(repository), before, after)

    def attributes(
        self, repository: str, commit: str, paths: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, str]]:
        """Return what a commit's own `.gitattributes` say of paths: the named attributes that are set, by path."""
        return self._attributes.of(self._mirrors.existing(repository), commit, paths, names)

    def patch(self, repository: str, before: str, after: str) -> bytes:
        """Render the difference as a patch, binary files included."""
        return self._objects.patch(self._mirrors.existing(repository), before, after)

    def restore(self, repository: str, run_id: UUID, before: str, patch: bytes) -> str:
        """Rebuild `wip` from a stored patch: the same commit that `capture` made."""
        mirror = self._mirrors.existing(repository)
        wip = self._commits.applying(mirror, before=before, patch=patch, message=wip_message(run_id))
        self._mirrors.pin(repository, run_id, "start", before)
        self._mirrors.pin(repository, run_id, "wip", wip)
        return wip

    def commit(
        self,
        repository: str,
        *,
        tree_of: str,
        parent: str,
        replace: Mapping[str, bytes],
        message: str,
        when: datetime,
    ) -> str:
        """Make the run's one commit."""
        mirror = self._mirrors.existing(repository)
        return self._commits.replacing(
            mirror, tree_of=tree_of, parent=parent, replace=replace, message=message, when=when
        )

    def push(self, repository: Repository, branch: str, commit: str, expected: str | None) -> None:
        """Publish a commit as a branch if the branch is still at `expected`."""
        self._publisher.push(repository, branch, commit, expected)

    def close_workspace(self, repository: str, run_id: UUID) -> None:  # noqa: ARG002 - run ids are unique
        """Remove the run's folder and git directory."""
        self._workspaces.close(run_id)

    def forget(self, repository: str, run_id: UUID) -> None:
        """Remove everything the run has on this host."""
        self._workspaces.close(run_id)
        self._mirrors.unpin(repository, run_id)

    def erase(self, repository: str, run_id: UUID) -> None:
        """Forget the run, and remove its captured work so that no object on this host holds what it wrote."""
        self._workspaces.close(run_id)
        self._mirrors.erase(repository, run_id)
