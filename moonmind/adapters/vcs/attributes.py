"""Attributes of a repository's own `.gitattributes`, without their filters: programs of an agent never run here."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.objects import Objects, name_of, raw_name

_NO_PROGRAMS = b"* -ident -working-tree-encoding -export-subst\n"
_NO_FILTER = b"* -filter -ident -working-tree-encoding -export-subst -merge\n"
"""For `info/attributes`: git converts line ends as `.gitattributes` ask, and runs no filter."""
_AT_ONCE = 100_000
"""Bytes of names that are given to one command."""
_CRLF = (b"i/crlf", b"i/mixed")


class Attributes:
    """Reads the attributes of files, and converts line ends as git would when it takes a file."""

    def __init__(self, git: Git, objects: Objects, scratch: Path) -> None:
        self._git, self._objects, self._scratch = git, objects, scratch

    def of(
        self, mirror: Path, commit: str, paths: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, str]]:
        """Return the named attributes that a commit gives to paths; what it says nothing of is left out. Raises VcsError."""
        with self._beside(mirror, _NO_PROGRAMS) as beside:
            index = {"GIT_INDEX_FILE": str(beside / "index")}
            self._git.run("read-tree", self._objects.tree(mirror, commit), git_dir=beside, environment=index)
            data = b"".join(raw_name(path) + b"\0" for path in paths)
            done = self._git.run(
                "check-attr", "--cached", "--stdin", "-z", *names, git_dir=beside, environment=index, data=data
            )
        found: dict[str, dict[str, str]] = {}
        parts = done.stdout.split(b"\0")
        for at in range(0, len(parts) - 2, 3):
            if parts[at + 2] != b"unspecified":
                value = parts[at + 2].decode("utf-8", "replace")
                found.setdefault(name_of(parts[at]), {})[parts[at + 1].decode()] = value
        return found

    def convert(self, mirror: Path, folder: Path, start: str, where: Mapping[str, str]) -> None:
        """Take the changed files of an index again with the line ends that `.gitattributes` ask for; raises VcsError.

        `where` names the index and where objects go, `start` the commit that the index began as. Files that the change does
        not touch stay as they are, whatever their line ends.
        """
        by_pattern = {**where, "GIT_LITERAL_PATHSPECS": "0"}
        listed = self._git.run(
            "ls-files", "-z", "--", ":(glob)**/.gitattributes", git_dir=mirror, environment=by_pattern
        )
        if not listed.stdout:
            return
        with self._beside(mirror, _NO_FILTER) as beside:
            changed = self._changed(beside, start, where)
            wrong = list(self._with_crlf(beside, folder, list(changed), where))
            if not wrong:
                return
            # As they were before: git leaves line ends alone that a file had already, unless it is asked to change them.
            self._update(beside, folder, ("--index-info",), [changed[name] + b"\t" + name for name in wrong], where)
            self._update(beside, folder, ("--add", "--stdin"), wrong, where)

    def _changed(self, beside: Path, start: str, where: Mapping[str, str]) -> dict[bytes, bytes]:
        """Return the changed regular files, each with mode and object of before."""
        done = self._git.run(
            "diff-index",
            "--cached",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "-z",
            start,
            git_dir=beside,
            environment=dict(where),
        )
        parts = done.stdout.split(b"\0")
        found = {}
        for facts, name in zip(parts[::2], parts[1::2], strict=False):
            old_mode, new_mode, old, _, _ = facts.removeprefix(b":").split(b" ")
            if new_mode in {b"100644", b"100755"}:
                found[name] = (old_mode if old_mode.startswith(b"100") else b"0") + b" " + old
        return found

    def _with_crlf(
        self, beside: Path, folder: Path, names: Sequence[bytes], where: Mapping[str, str]
    ) -> Iterator[bytes]:
        for some in _in_parts(names):
            listed = map(os.fsdecode, some)
            done = self._git.run(
                "ls-files", "--eol", "-z", "--", *listed, git_dir=beside, work_tree=folder, environment=dict(where)
            )
            for line in done.stdout.split(b"\0"):
                facts, _, name = line.partition(b"\t")
                said = facts.split()
                if said and said[0] in _CRLF and any(one.startswith((b"attr/text", b"eol=")) for one in said):
                    yield name

    def _update(
        self, beside: Path, folder: Path, how: tuple[str, ...], lines: Sequence[bytes], where: Mapping[str, str]
    ) -> None:
        data = b"".join(line + b"\0" for line in lines)
        self._git.run("update-index", "-z", *how, git_dir=beside, work_tree=folder, environment=dict(where), data=data)

    @contextmanager
    def _beside(self, mirror: Path, attributes: bytes) -> Iterator[Path]:
        """Yield an empty repository that sees the mirror's objects, with attributes of its own."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            beside = Path(folder)
            for name in ("objects/info", "refs", "info"):
                (beside / name).mkdir(parents=True)
            (beside / "HEAD").write_text("ref: refs/heads/none\n")
            (beside / "objects/info/alternates").write_bytes(os.fsencode((mirror / "objects").absolute()) + b"\n")
            (beside / "info/attributes").write_bytes(attributes)
            yield beside


def _in_parts(names: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the names in lists that a command line holds."""
    some: list[bytes] = []
    size = 0
    for name in names:
        if some and size + len(name) > _AT_ONCE:
            yield some
            some, size = [], 0
        some.append(name)
        size += len(name) + 1
    if some:
        yield some
