"""Tries a merge without a work tree and without keeping it: how far a commit is behind, and what would conflict."""

import os
import tempfile
from pathlib import Path

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.objects import Objects, name_of
from moonmind.errors import VcsRefused
from moonmind.ports.vcs import MergeOutlook

MOST = 1000
"""Conflicts that are listed."""


class Outlook:
    """Tries merges of commits of a mirror. The objects that a try makes are thrown away with it."""

    def __init__(self, git: Git, objects: Objects, scratch: Path) -> None:
        self._git, self._objects, self._scratch = git, objects, scratch

    def of(self, mirror: Path, commit: str, into: str) -> MergeOutlook:
        """Return the outlook of merging `commit` into `into`. Raises VcsError."""
        behind = self._count(mirror, into, commit)
        if behind == 0:
            return MergeOutlook(0, ())
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            beside = Path(folder)
            _borrow(mirror, beside)
            try:
                done = self._git.run(
                    "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", into, commit,
                    git_dir=beside, accept=(0, 1),
                )  # fmt: skip
            except VcsRefused:  # no common history, or a git before 2.38, which has no such merge
                return MergeOutlook(behind, None)
        # The tree that came of it comes first.
        paths = [name_of(raw) for raw in done.stdout.split(b"\0")[1:] if raw] if done.exit_code else []
        return MergeOutlook(behind, tuple(dict.fromkeys(paths))[:MOST])

    def _count(self, mirror: Path, commit: str, without: str) -> int:
        names = [self._objects.checked(mirror, name) for name in (commit, without)]
        done = self._git.run("rev-list", "--count", names[0], f"^{names[1]}", git_dir=mirror)
        return int(done.text.strip())


def _borrow(mirror: Path, folder: Path) -> None:
    """Make an empty repository that sees the mirror's objects, and none of its attributes: those let no file be merged."""
    for name in ("objects/info", "refs"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "objects/info/alternates").write_bytes(os.fsencode((mirror / "objects").absolute()) + b"\n")
