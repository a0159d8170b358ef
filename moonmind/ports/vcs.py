"""What MoonMind needs of version control: read history, provide folders, take changes back, publish them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from moonmind.ports.check import Check
from moonmind.ports.forge import Repository


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a commit's tree."""

    path: str
    mode: str
    """Git's octal mode: `100644`, `100755`, `120000` (link), `160000` (gitlink)."""
    object_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees, without rename detection (a rename is a delete and an add)."""

    path: str
    status: str
    """`A`, `M`, `D` or `T` (type changed)."""
    old_mode: str
    new_mode: str
    added: int
    """Lines added; -1 for binary files."""
    deleted: int
    link_target: str | None = None
    """Where a link added or changed here points."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, in its author's words: all of it is hostile text."""

    id: str
    parents: tuple[str, ...]
    author: str
    """The name alone, as the committer's."""
    committer: str
    subject: str
    trailers: Mapping[str, str]
    """Keys lower-case; `run-id` names the run that says it made it."""
    touched: tuple[str, ...] = ()
    """Of the files that were asked about, those it changed; a merge changes none."""


@dataclass(frozen=True, slots=True)
class MergeOutlook:
    """How a commit stands to the branch that it is to be merged into."""

    behind: int
    """Commits of that branch that it lacks."""
    conflicts: tuple[str, ...] | None
    """Paths that git could not merge by itself, none if it could; None where git cannot tell."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder the agent edits, and the service's own git directory that reads it."""

    path: Path
    git_dir: Path
    starting_commit: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in an agent's folder that a capture did not take."""

    path: str
    """A file or folder as it may be shown; the first of several."""
    rule: str
    """Why, for programs: `nested_git`, `environment`, `ignored`, ..."""
    words: str
    """Why, for people."""
    files: int = 1


@dataclass(frozen=True, slots=True)
class Capture:
    """An agent's folder as a commit."""

    commit: str
    left_out: tuple[LeftOut, ...] = ()
    only_here: tuple[str, ...] = ()
    """Names of the files among them that no tool would make again."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive of a folder's files holds."""

    files: int
    size: int
    """Bytes, before they were compressed."""
    dropped: int = 0
    """Files that are not in it: too large together, gone meanwhile, or with a known secret that cannot be masked."""


class Vcs(Protocol):
    """Git, seen from the service. Raises VcsError and its subclasses only.

    Every repository has one bare mirror in the state folder. The agent's folder holds a throw-away `.git` that no
    method here ever reads.
    """

    def check(self) -> tuple[Check, ...]:
        """Probe the git binary and its version."""
        ...

    def fetch(self, repository: Repository) -> None:
        """Bring the mirror up to date with all branches; incremental, safe to run twice at once."""
        ...

    def branches(self, repository: str) -> Mapping[str, str]:
        """Map the mirrored branch names to their commits."""
        ...

    def listing(self, repository: str, commit: str) -> tuple[TreeFile, ...]:
        """List every file of a commit."""
        ...

    def read(self, repository: str, commit: str, path: str, *, limit: int = 4 * 1024 * 1024) -> bytes | None:
        """Read one regular file of a commit, None where there is none; VcsError above `limit` bytes."""
        ...

    def blobs(self, repository: str, object_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Read the contents of a listing's files by their object ids, in one go; VcsError above 64 MiB together."""
        ...

    def holding(self, repository: str, places: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return those pairs of commit and path at which there is a file or a link, in one go."""
        ...

    def is_ancestor(self, repository: str, older: str, newer: str) -> bool:
        """Return True if `older` is reachable from `newer` (or is it)."""
        ...

    def history(self, repository: str, newer: str, older: str, *, files: str, limit: int) -> tuple[Commit, ...]:
        """List the commits that `newer` holds and `older` lacks, newest first, at most `limit` of them.

        `files` is the name of the files, in any folder, whose changes are listed with each.
        """
        ...

    def changed_at(self, repository: str, commit: str, folder: str) -> datetime | None:
        """Return when a folder was changed last in a commit's history; None where it never was."""
        ...

    def merge_outlook(self, repository: str, commit: str, into: str) -> MergeOutlook:
        """Return how far a commit is behind another one, and whether the two merge cleanly; nothing is merged."""
        ...

    def open_workspace(self, repository: str, run_id: UUID, commit: str, *, resume: str | None = None) -> Workspace:
        """Make the run's folder at a commit, or find it; `resume` is a commit whose tree it starts from instead."""
        ...

    def check_out(self, repository: str, commit: str, folder: Path) -> None:
        """Write a commit's files to a folder that is not there yet, with a throw-away `.git` that leads nowhere."""
        ...

    def find_workspace(self, repository: str, run_id: UUID) -> Workspace | None:
        """Find the run's folder if it is on this host."""
        ...

    def capture(self, repository: str, run_id: UUID, workspace: Workspace, *, named: Collection[str] = ()) -> Capture:
        """Write the folder as it is now to a commit on the starting commit, pin it as the run's `wip`, return it.

        Files that `named` names are taken even where an ignore rule hides them. What tools made, and what no commit can
        hold, is left out and said. Line ends of changed files become what `.gitattributes` ask for, as when git takes
        them; no other filter runs. Deterministic: the same folder gives the same commit.
        """
        ...

    def archive(
        self, repository: str, run_id: UUID, workspace: Workspace, into: BinaryIO, *, names: Sequence[str] | None = None
    ) -> Archived:
        """Write files of the folder as a compressed archive of bounded size, known secrets masked.

        Without `names` it holds everything that differs from the starting commit, except what tools made.
        """
        ...

    def lost_folder(self, repository: str, run_id: UUID) -> bool:
        """Return True if the run's folder was opened here and is gone, or something else stands in its place."""
        ...

    def hidden(self, repository: str, run_id: UUID, workspace: Workspace) -> tuple[LeftOut, ...]:
        """List what ignore rules hide in the folder, each with its rule; the first of many."""
        ...

    def wip(self, repository: str, run_id: UUID) -> str | None:
        """Return the pinned `wip` commit of a run."""
        ...

    def changes(self, repository: str, before: str, after: str) -> tuple[Change, ...]:
        """List what differs between two commits, in path order."""
        ...

    def attributes(
        self, repository: str, commit: str, paths: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, str]]:
        """Return what a commit's own `.gitattributes` say of paths: the named attributes that are set, by path."""
        ...

    def patch(self, repository: str, before: str, after: str) -> bytes:
        """Render the difference as a patch that `git apply` takes, binary files included."""
        ...

    def restore(self, repository: str, run_id: UUID, before: str, patch: bytes) -> str:
        """Rebuild `wip` from a stored patch on a host that never had the workspace; returns the commit."""
        ...

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
        """Make the run's one commit: the tree of `tree_of` with some files replaced, on `parent`, as MoonMind.

        Deterministic in all its arguments, so that a repeated stage makes the same commit again.
        """
        ...

    def push(self, repository: Repository, branch: str, commit: str, expected: str | None) -> None:
        """Publish a commit as a branch if the branch is still at `expected` (None: does not exist).

        Raises BranchMoved when it is elsewhere, PushRejected when the forge refuses. A branch that is already at the
        commit is no error.
        """
        ...

    def close_workspace(self, repository: str, run_id: UUID) -> None:
        """Remove the run's folder and git directory; the pinned refs stay until `forget`."""
        ...

    def forget(self, repository: str, run_id: UUID) -> None:
        """Remove everything the run has on this host, its pinned refs too."""
        ...

    def erase(self, repository: str, run_id: UUID) -> None:
        """Forget the run, and remove its captured work so that no object on this host holds what it wrote."""
        ...
