"""Reads commits, trees and differences out of a mirror; nothing here looks at a work tree."""

import os
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from moonmind.adapters.git import Git
from moonmind.adapters.vcs.mirrors import object_name
from moonmind.errors import VcsRefused
from moonmind.ports.vcs import Change, Commit, TreeFile

LINK = "120000"
GITLINK = "160000"
_NOTHING = "000000"
_BINARY = b"-"
_LATEST = 4_102_444_800
"""Seconds: the year 2100. Beyond it a date is a mistake, and some programs cannot read it."""
_DIFF = ("diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-algorithm=myers")


LARGEST_BEFORE = 32 * 1024 * 1024
"""Bytes that the changed files held before, together, of what a patch shows."""
_MOST_LARGE = 1000
"""Files that one command can name."""
_NAMED_BYTES = 512 * 1024
"""Bytes of their names together, nearly."""
_PATCH_BYTES = 256 * 1024 * 1024
_BLOBS_BYTES = 64 * 1024 * 1024
_ALL_BINARY = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bigFileThreshold", "GIT_CONFIG_VALUE_0": "1"}

_OBJECT = re.compile(r"[0-9a-f]{40}")
_FORM = "%H%x00%P%x00%an%x00%cn%x00%s%x00%(trailers:only=true,unfold=true)"
_FIELDS = 6


def name_of(raw: bytes) -> str:
    """Decode a path so that any name survives the way back."""
    return raw.decode("utf-8", "surrogateescape")


def raw_name(path: str) -> bytes:
    """Encode a path as git stores it."""
    return path.encode("utf-8", "surrogateescape")


def is_plain(path: str) -> bool:
    """Return True if a path can name a file of a tree as it is written; git would resolve `..` and refuse NUL."""
    return "\0" not in path and not set(path.split("/")) & {"", ".", ".."}


class Objects:
    """The objects of a mirror."""

    def __init__(self, git: Git) -> None:
        self._git = git

    def listing(self, mirror: Path, commit: str) -> tuple[TreeFile, ...]:
        """List every file of a commit."""
        whole = ("-r", "-z", "-l", "--full-tree", object_name(commit))
        done = self._git.run("ls-tree", *whole, git_dir=mirror, accept=(0, 128))
        if done.exit_code:
            self._commit(mirror, commit)  # says what to do where there is no such commit
            raise self._git.failure("ls-tree", done, network=False)
        return tuple(_tree_file(entry) for entry in done.stdout.split(b"\0") if entry)

    def read(self, mirror: Path, commit: str, path: str, limit: int) -> bytes | None:
        """Read one regular file of a commit."""
        if not is_plain(path):
            return None
        tree = self._commit(mirror, commit)
        done = self._git.run("ls-tree", "-z", "-l", "--full-tree", tree, "--", path, git_dir=mirror)
        files = [_tree_file(entry) for entry in done.stdout.split(b"\0") if entry]
        found = next((file for file in files if file.path == path and file.mode.startswith("100")), None)
        if found is None:
            return None
        if found.size > limit:
            raise VcsRefused(f"{path} has {found.size} bytes; at most {limit} are read", path=path, size=found.size)
        return self._blob(mirror, found.object_id)

    def blobs(self, mirror: Path, names: Sequence[str]) -> dict[str, bytes]:
        """Read blobs by their names. Each is printed behind a line with its length, so that no content passes for another."""
        asked = "".join(f"{object_name(name)}\n" for name in names)
        printed = self._git.run("cat-file", "--batch", git_dir=mirror, data=asked.encode(), limit=_BLOBS_BYTES).stdout
        found: dict[str, bytes] = {}
        at = 0
        for name in names:
            begin = printed.index(b"\n", at) + 1
            kind, _, size = printed[at : begin - 1].decode().removeprefix(f"{name} ").partition(" ")
            if kind != "blob":
                raise VcsRefused(f"the repository has no file {name}", object=name)
            found[name] = printed[begin : begin + int(size)]
            at = begin + int(size) + 1
        return found

    def holding(self, mirror: Path, places: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return those pairs of commit and path at which there is a blob. One line is asked, and one printed, for each."""
        asked = [(commit, path) for commit, path in places if is_plain(path) and "\n" not in path]
        lines = b"".join(b"%s:%s\n" % (object_name(commit).encode(), raw_name(path)) for commit, path in asked)
        done = self._git.run("cat-file", "--batch-check=%(objecttype)", git_dir=mirror, data=lines)
        return frozenset(
            place for place, kind in zip(asked, done.stdout.split(b"\n")[:-1], strict=True) if kind == b"blob"
        )

    def is_ancestor(self, mirror: Path, older: str, newer: str) -> bool:
        """Return True if `older` is reachable from `newer`."""
        pair = (self._commit(mirror, older), self._commit(mirror, newer))
        return self._git.run("merge-base", "--is-ancestor", *pair, git_dir=mirror, accept=(0, 1)).exit_code == 0

    def history(self, mirror: Path, newer: str, older: str, files: str, limit: int) -> tuple[Commit, ...]:
        """List the commits that `newer` holds and `older` lacks, each with the files of that name that it changed."""
        span = (f"--max-count={limit}", self._commit(mirror, newer), f"^{self._commit(mirror, older)}")
        form = ("log", "-z", "--no-show-signature", f"--format={_FORM}")
        fields = self._git.run(*form, *span, git_dir=mirror).text.split("\0")[:-1]
        rows = [fields[start : start + _FIELDS] for start in range(0, len(fields), _FIELDS)]
        touched = self._touched(mirror, [row[0] for row in rows], files)
        return tuple(
            Commit(name, tuple(parents.split()), author, committer, subject, _trailers(said), touched.get(name, ()))
            for name, parents, author, committer, subject, said in rows
        )

    def changed_at(self, mirror: Path, commit: str, folder: str) -> datetime | None:
        """Return the time of the newest commit in a history that changed something below a folder.

        None where there is none, and where its time is none that a calendar has: whoever commits writes any number.
        """
        form = ("log", "--max-count=1", "--no-show-signature", "--format=%ct")
        text = self._git.run(*form, object_name(commit), "--", folder, git_dir=mirror).text.strip()
        try:
            return datetime.fromtimestamp(int(text), UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def _touched(self, mirror: Path, commits: list[str], files: str) -> dict[str, tuple[str, ...]]:
        """Map commits to the files of that name which they changed. The output is commits, each before its paths."""
        done = self._git.run(
            "diff-tree", "--stdin", "--root", "-r", "-z", "--name-only", "--no-renames", "--", f":(glob)**/{files}",
            git_dir=mirror, environment={"GIT_LITERAL_PATHSPECS": "0"}, data="".join(f"{name}\n" for name in commits).encode(),
        )  # fmt: skip
        touched: dict[str, tuple[str, ...]] = {}
        commit = ""
        for raw in done.stdout.split(b"\0")[:-1]:
            entry = name_of(raw)
            if _OBJECT.fullmatch(entry):
                commit = entry
            else:
                touched[commit] = (*touched.get(commit, ()), entry)
        return touched

    def changes(self, mirror: Path, before: str, after: str) -> tuple[Change, ...]:
        """List what differs between two commits, in path order."""
        pair = (self._commit(mirror, before), self._commit(mirror, after))
        done = self._git.run(*_DIFF, "--raw", "--numstat", "--no-abbrev", "-z", *pair, git_dir=mirror)
        fields = done.stdout.split(b"\0")
        entries: list[tuple[bytes, list[str]]] = []
        position = 0
        # All raw entries come first, each a field that starts with a colon and a field with the path.
        while fields[position].startswith(b":"):
            entries.append((fields[position + 1], fields[position][1:].decode().split(" ")))
            position += 2
        counts: dict[bytes, tuple[int, int]] = {}
        for field in fields[position:-1]:
            added, deleted, path = field.split(b"\t", 2)
            counts[path] = (-1, -1) if added == _BINARY else (int(added), int(deleted))
        return tuple(
            Change(
                path=name_of(path),
                status=status,
                old_mode=old_mode,
                new_mode=new_mode,
                added=counts.get(path, (0, 0))[0],
                deleted=counts.get(path, (0, 0))[1],
                link_target=self._blob(mirror, new_id).decode("utf-8", "backslashreplace")
                if new_mode == LINK
                else None,
            )
            for path, (old_mode, new_mode, _, new_id, status) in sorted(entries)
        )

    def patch(self, mirror: Path, before: str, after: str) -> bytes:
        """Render the difference in the one form that is stored.

        Where the changed files were large together, the largest are shown as removed without what they held, which the
        starting commit has, and as added where they are still there.
        """
        old, new = self._commit(mirror, before), self._commit(mirror, after)
        large = self._large(mirror, old, new)
        if not large:
            return self._render(mirror, old, new, binary=True)
        none = self._git.run("hash-object", "-t", "tree", "--stdin", git_dir=mirror).text.strip()
        parts = (
            self._render(mirror, old, new, *(f":(top,exclude,literal){path}" for path in large), binary=True),
            self._render(mirror, old, none, *(f":(top,literal){path}" for path in large), binary=False),
            self._render(mirror, none, new, *(f":(top,literal){path}" for path in large), binary=True),
        )
        return b"".join(parts)

    def _render(self, mirror: Path, before: str, after: str, *paths: str, binary: bool) -> bytes:
        form = ("--patch", "--full-index", "--unified=3", "--src-prefix=a/", "--dst-prefix=b/")
        how = ("--binary",) if binary else ()
        environment = {"GIT_LITERAL_PATHSPECS": "0"} if paths else {}
        return self._git.run(
            *_DIFF, *form, *how, before, after, "--", *paths,
            git_dir=mirror, environment=environment if binary else environment | _ALL_BINARY, limit=_PATCH_BYTES,
        ).stdout  # fmt: skip

    def _large(self, mirror: Path, before: str, after: str) -> list[str]:
        """Return the changed files to show without what they held: the largest, until the rest fits into a patch."""
        done = self._git.run(*_DIFF, "--name-only", "-z", before, after, git_dir=mirror)
        changed = {name_of(raw) for raw in done.stdout.split(b"\0") if raw}
        files = sorted(
            (file for file in self.listing(mirror, before) if file.path in changed), key=lambda file: file.size
        )
        total = sum(file.size for file in files)
        large: list[str] = []
        named = 0
        while total > LARGEST_BEFORE and files and len(large) < _MOST_LARGE and named < _NAMED_BYTES:
            last = files.pop()
            total -= last.size
            named += len(os.fsencode(last.path))
            large.append(last.path)
        return sorted(large)

    def checked(self, mirror: Path, commit: str) -> str:
        """Return the commit's name where the mirror holds it; raises VcsRefused."""
        return self._commit(mirror, commit)

    def tree(self, mirror: Path, commit: str) -> str:
        """Return the tree of a commit."""
        return self._git.run(
            "rev-parse", "--verify", f"{self._commit(mirror, commit)}^{{tree}}", git_dir=mirror
        ).text.strip()

    def date(self, mirror: Path, commit: str) -> str:
        """Return a commit's committer date in git's raw form, at UTC."""
        form = ("log", "--no-walk", "--no-show-signature", "--format=%ct")
        said = self._git.run(*form, self._commit(mirror, commit), git_dir=mirror).text.strip()
        # A commit may name no date, or one that git reads and does not write.
        seconds = int(said) if said.isascii() and said.isdigit() else 0
        return f"@{min(seconds, _LATEST)} +0000"

    def _commit(self, mirror: Path, name: str) -> str:
        probe = self._git.run("cat-file", "-t", object_name(name), git_dir=mirror, accept=(0, 128))
        if probe.text.strip() != "commit":
            raise VcsRefused(
                f"the repository has no commit {name}",
                remediation="It was removed from the forge, or this host has not fetched it: retry from discovery.",
                commit=name,
            )
        return name

    def _blob(self, mirror: Path, name: str) -> bytes:
        return self._git.run("cat-file", "blob", object_name(name), git_dir=mirror).stdout


def _trailers(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _tree_file(entry: bytes) -> TreeFile:
    head, path = entry.split(b"\t", 1)
    mode, _, object_id, size = head.decode().split()
    return TreeFile(name_of(path), mode, object_id, 0 if size == "-" else int(size))
