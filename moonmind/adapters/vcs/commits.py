"""Makes commits without a work tree, each a function of its arguments: the same again is the same commit."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.mirrors import object_name
from moonmind.adapters.vcs.objects import Objects, is_plain, raw_name
from moonmind.errors import VcsRefused

_NAME, _MAIL = "MoonMind", "noreply@moonmind.invalid"
_FILE, _PROGRAM = "100644", "100755"


def wip_message(run_id: object) -> str:
    """Word the commit that holds a run's unfinished work; a rebuilt one must say the same."""
    return f"Work of run {run_id}, not published\n"


class Commits:
    """Writes trees and commits into a mirror through index files of their own."""

    def __init__(self, git: Git, objects: Objects, scratch: Path) -> None:
        self._git, self._objects, self._scratch = git, objects, scratch

    def write(self, git_dir: Path, *, tree: str, parent: str | None, message: str, date: str) -> str:
        """Write one commit as MoonMind; `date` in git's raw form."""
        identity = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", _NAME), ("EMAIL", _MAIL), ("DATE", date))
        }
        parents = ("-p", parent) if parent is not None else ()
        done = self._git.run(
            "commit-tree", *parents, "-F", "-", tree, git_dir=git_dir, environment=identity, data=message.encode()
        )
        return done.text.strip()

    def replacing(
        self, mirror: Path, *, tree_of: str, parent: str, replace: Mapping[str, bytes], message: str, when: datetime
    ) -> str:
        """Commit the tree of `tree_of` with the content of some files replaced."""
        self._objects.tree(mirror, parent)
        with self._index(mirror, self._objects.tree(mirror, tree_of)) as index:
            if replace:
                entries = [self._entry(mirror, tree_of, path, content) for path, content in sorted(replace.items())]
                self._git.run(
                    "update-index", "-z", "--index-info", git_dir=mirror, environment=index, data=b"".join(entries)
                )
            tree = self._git.run("write-tree", git_dir=mirror, environment=index).text.strip()
        date = f"@{int(when.timestamp())} +0000"
        return self.write(mirror, tree=tree, parent=object_name(parent), message=message, date=date)

    def applying(self, mirror: Path, *, before: str, patch: bytes, message: str) -> str:
        """Commit a patch on the commit that it was made from, dated as that one."""
        with self._index(mirror, self._objects.tree(mirror, before)) as index:
            if patch:
                self._git.run(
                    "apply", "--cached", "--binary", "--whitespace=nowarn", "-",
                    git_dir=mirror, environment=index, data=patch,
                )  # fmt: skip
            tree = self._git.run("write-tree", git_dir=mirror, environment=index).text.strip()
        return self.write(mirror, tree=tree, parent=before, message=message, date=self._objects.date(mirror, before))

    def _entry(self, mirror: Path, tree_of: str, path: str, content: bytes) -> bytes:
        if not is_plain(path):
            raise VcsRefused(f"not a path inside a tree: {path[:200]!r}")
        listed = self._git.run("ls-tree", "-z", "--full-tree", tree_of, "--", path, git_dir=mirror).stdout
        mode = _PROGRAM if listed.startswith(_PROGRAM.encode()) else _FILE
        blob = self._git.run("hash-object", "-w", "--no-filters", "--stdin", git_dir=mirror, data=content).text.strip()
        return f"{mode} {blob}\t".encode() + raw_name(path) + b"\0"

    @contextlib.contextmanager
    def _index(self, mirror: Path, tree: str) -> Iterator[dict[str, str]]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git.run("read-tree", tree, git_dir=mirror, environment=index)
            yield index
