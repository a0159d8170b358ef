"""Looks into an agent's folder: what is there by name, and what git lists. Nothing of the folder is trusted or run."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from moonmind.adapters.git import Git

_NO_BLOB = b"0" * 39 + b"1"
_MOST_NESTED = 64
"""How deep repositories inside of repositories are followed."""
_CLOSED = re.compile(r"^warning: could not open directory '(.*?)(?:/?': (.*))?$", re.MULTILINE)
"""Git cuts its words after 4,096 bytes: of a path that is too long the reason is missing."""
_MOST_WALKED = 200_000
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(Enum):
    """What stands at a name."""

    FILE = auto()
    LINK = auto()
    FOLDER = auto()
    SPECIAL = auto()
    GONE = auto()
    CLOSED = auto()
    """It cannot be read, so its kind is unknown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a name, and how large it is."""

    kind: Kind
    size: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that the starting commit does not have and no rule hides."""

    names: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    """Folders with a git repository of their own."""
    closed: tuple[tuple[str, str], ...]
    """Folders that could not be listed, and why."""


class WorkTree:
    """One agent's folder, read with the service's git directory."""

    def __init__(self, git: Git, git_dir: Path, top: Path) -> None:
        self._git, self._git_dir, self._top = git, git_dir, top
        self._raw = os.fsencode(top)
        self._folders: dict[bytes, Kind] = {b"": Kind.FOLDER}

    def git(self, verb: str, *arguments: str, index: Path, data: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        """Run a git command over the folder with an index of its own, and return what it wrote."""
        environment = {"GIT_INDEX_FILE": str(index)}
        if verb == "check-ignore":
            environment["GIT_LITERAL_PATHSPECS"] = "0"  # it knows no pathspec magic, and takes paths literally
        return self._git.run(
            verb,
            *arguments,
            git_dir=self._git_dir,
            work_tree=self._top,
            environment=environment,
            data=data,
            accept=accept,
        ).stdout

    def entry(self, name: bytes) -> Entry:
        """Look at what stands at a name, without following a link on the way or at its end."""
        above = self._folder(os.path.dirname(name))  # noqa: PTH120 - names are bytes
        if above is not Kind.FOLDER:
            return Entry(Kind.CLOSED if above is Kind.CLOSED else Kind.GONE)
        place = os.path.join(self._raw, name)  # noqa: PTH118 - names are bytes
        found = _look(place)
        if found.kind is Kind.FILE and not os.access(place, os.R_OK):
            return Entry(Kind.CLOSED)
        return found

    def exists(self, name: bytes) -> bool:
        """Return True if a file or folder stands at a name."""
        return self.entry(name).kind in {Kind.FILE, Kind.FOLDER}

    def begins(self, name: bytes, with_one_of: tuple[bytes, ...], *, programs_only: bool = True) -> bool:
        """Return True if a file begins with one of some bytes; of programs only where that is asked."""
        if self.entry(name).kind is not Kind.FILE:
            return False
        place = os.path.join(self._raw, name)  # noqa: PTH118 - names are bytes
        try:
            if programs_only and not os.lstat(place).st_mode & stat.S_IXUSR:
                return False
            handle = os.open(place, _READ)
        except OSError:
            return False
        try:
            return stat.S_ISREG(os.fstat(handle).st_mode) and os.read(handle, 64).startswith(with_one_of)
        finally:
            os.close(handle)

    def open(self, name: bytes) -> int:
        """Open a file through its folders one by one, and return its descriptor; raises OSError, also for what is no file."""
        *folders, base = name.split(b"/")
        folder = os.open(self._raw, _OPEN_FOLDER)
        try:
            for inner in folders:
                below = os.open(inner, _OPEN_FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
            handle = os.open(base, _READ, dir_fd=folder)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a file")
        return handle

    def link(self, name: bytes) -> bytes:
        """Read where a link points; raises OSError."""
        return os.readlink(os.path.join(self._raw, name))  # noqa: PTH115, PTH118 - names are bytes

    def changed(self, index: Path) -> tuple[bytes, ...]:
        """List the tracked files that are not as the index has them."""
        return _names(self.git("diff-files", "-z", "--name-only", "--no-renames", index=index))

    def walk(self, since: int) -> list[bytes]:
        """List files without git, where git cannot: those that changed after `since`, in nanoseconds, up to some depth."""
        found: list[bytes] = []
        waiting = [b""]
        while waiting and len(found) < _MOST_WALKED:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self._raw, folder)) as entries:  # noqa: PTH118 - names are bytes
                    for entry in entries:
                        name = folder + b"/" + entry.name if folder else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if entry.name != b".git":
                                waiting.append(name)
                        elif entry.stat(follow_symlinks=False).st_ctime_ns > since:
                            found.append(name)
            except OSError:
                continue
        return found

    def tracked(self, index: Path) -> tuple[bytes, ...]:
        """List the files of an index."""
        return _names(self.git("ls-files", "-z", "--cached", index=index))

    def untracked(self, index: Path, skip: "tuple[bytes, ...]" = ()) -> Listing:
        """List what an index does not have and no ignore rule hides, through repositories inside the folder as well.

        Git stops at a repository's folder unless its index has a file in there, so it is told of one; `index` is a copy
        that may be changed. What lies below `skip` is left alone.
        """
        nested: list[bytes] = []
        names: tuple[bytes, ...] = ()
        closed: dict[str, str] = {}
        for _ in range(_MOST_NESTED):
            done = self._git.run(
                "ls-files", "-z", "--others", "--exclude-standard",
                git_dir=self._git_dir, work_tree=self._top, environment={"GIT_INDEX_FILE": str(index)},
            )  # fmt: skip
            closed |= {place: why or os.strerror(errno.ENAMETOOLONG) for place, why in _CLOSED.findall(done.error_text)}
            names = _names(done.stdout)
            found = [name[:-1] for name in names if name.endswith(b"/") and not _below(name, skip)]
            if not found:
                break
            nested += found
            told = b"".join(b"100644 %b\t%b/.%b\0" % (_NO_BLOB, name, secrets.token_hex(8).encode()) for name in found)
            self.git("update-index", "-z", "--index-info", index=index, data=told)
        files = tuple(name for name in names if not name.endswith(b"/"))
        return Listing(files, tuple(nested), tuple(sorted(closed.items())))

    def hidden(self, index: Path, *below: str, skip: Callable[[bytes], bool], most: int) -> list[tuple[bytes, str]]:
        """List what ignore rules hide, the first of many, each with its rule; names that `skip` says are passed over.

        A folder that is hidden whole ends with a slash and stands for what is in it.
        """
        names = [
            name for name in self._ignored(index, "--directory", "--no-empty-directory", below=below) if not skip(name)
        ]
        rules = self.hiding_rules(index, names[:most])
        # A folder with nothing but hidden files is listed as hidden, although no rule names it.
        opened = [os.fsdecode(name) for name in names[:most] if name.endswith(b"/") and name not in rules]
        if opened:
            inner = [name for name in self._ignored(index, below=opened) if not skip(name)][:most]
            rules |= self.hiding_rules(index, inner)
            names = sorted({*names, *inner})
        return [(name, rules[name]) for name in names if name in rules][:most]

    def _ignored(self, index: Path, *how: str, below: Iterable[str]) -> tuple[bytes, ...]:
        return _names(
            self.git("ls-files", "-z", "--others", "--ignored", "--exclude-standard", *how, "--", *below, index=index)
        )

    def hiding_rules(self, index: Path, names: "list[bytes]") -> dict[bytes, str]:
        """Map names to the ignore rule that hides them, as `.gitignore:3: lib/`; names that no rule hides are missing."""
        if not names:
            return {}
        asked = b"".join(b"./" + name + b"\0" for name in names)
        said = self.git(
            "check-ignore", "-z", "-v", "-n", "--no-index", "--stdin", index=index, data=asked, accept=(0, 1)
        )
        fields = said.split(b"\0")
        rules = {}
        for source, line, pattern, name in zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False):
            if source and not pattern.startswith(b"!"):
                place = source.removeprefix(self._raw + b"/").removeprefix(b"./")
                rules[name.removeprefix(b"./")] = (place + b":" + line + b": " + pattern).decode(
                    "utf-8", "backslashreplace"
                )
        return rules

    def _folder(self, folder: bytes) -> Kind:
        """Return whether a path goes through folders only: FOLDER if it does, CLOSED if that cannot be seen."""
        asked = []
        while folder not in self._folders:
            asked.append(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120 - names are bytes
        kind = self._folders[folder]
        for below in reversed(asked):
            if kind is Kind.FOLDER:
                kind = _look(os.path.join(self._raw, below)).kind  # noqa: PTH118 - names are bytes
            self._folders[below] = kind
        return kind


def _look(place: bytes) -> Entry:
    try:
        found = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return Entry(Kind.GONE)
    except OSError:  # closed to us, or a name too long for the system
        return Entry(Kind.CLOSED)
    if stat.S_ISREG(found.st_mode):
        return Entry(Kind.FILE, found.st_size)
    if stat.S_ISLNK(found.st_mode):
        return Entry(Kind.LINK, found.st_size)
    return Entry(Kind.FOLDER if stat.S_ISDIR(found.st_mode) else Kind.SPECIAL)


def _names(stdout: bytes) -> tuple[bytes, ...]:
    return tuple(name for name in stdout.split(b"\0") if name)


def _below(name: bytes, folders: tuple[bytes, ...]) -> bool:
    return any(name.startswith(folder + b"/") for folder in folders)
