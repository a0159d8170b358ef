"""Finds what a build made in a checkout, and puts it into the form in which it is lent. All of it is hostile input.

No link is followed, and no path is built: folders are opened one inside the other. The build's processes have ended.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from moonmind.adapters.environments.environment_record import BuiltFiles
from moonmind.adapters.trees import change_mode, open_below, remove_tree
from moonmind.errors import EnvironmentRefused

MOST_FOLDERS = 300
"""Each is a mount of its own in each job."""
MOST_COPIED = 200
MOST_COPIED_BYTES = 64 << 20
MOST_DEPTH = 200
"""Folders inside of folders: each is open, twice, while what is in it is looked at."""
MOST_IN_FOLDER = 200_000
"""Names in one folder."""
MOST_NAMES = 2_000_000
"""Names in a checkout, and in all that is lent."""
MOST_NEW = 20_000
"""Names that are new in the repository's own folders: each of them is remembered, and asked about."""
_LONGEST = 3500
"""Bytes of a path: the kernel takes 4,096, and programs see it below other folders."""
_LONGEST_SHOWN = 200
_MOST_NAMED = 100
_SETUP_MADE = "the setup made"
_MAKE_FEWER = (
    "Let `setup` in .moonmind.yml install less, or remove what tests do not need, such as caches; then retry the run."
)
_NEVER_LENT = frozenset({".git", "__pycache__"})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512

Ignored = Callable[[list[str]], set[str]]
"""Returns those of some paths that the repository's rules hide; folders end with a slash."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The paths of a fresh checkout."""

    folders: frozenset[str]
    files: frozenset[str]
    """And links."""

    def as_json(self) -> dict[str, list[str]]:
        """Return the stored form."""
        return {"folders": sorted(self.folders), "files": sorted(self.files)}

    @classmethod
    def from_json(cls, body: Mapping[str, list[str]]) -> "Checkout":
        """Read what `as_json` wrote. Raises LookupError, TypeError."""
        return cls(frozenset(body["folders"]), frozenset(body["files"]))


def checkout_of(workspace: Path) -> Checkout:
    """List a checkout before a build works in it. Raises OSError, EnvironmentRefused."""
    folders, files = set(), set()
    names = _Names(
        "the repository has", "Remove files from the repository, or leave its environment out (`environment: {}`)."
    )

    def listed(handle: int, above: str, depth: int) -> None:
        _require_shallow(depth, above)
        for entry in names.of(handle, above):
            path = above + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.add(path)
                with _entered(entry.name, handle) as inner:
                    listed(inner, f"{path}/", depth + 1)
            else:
                files.add(path)

    with _opened(workspace) as top:
        listed(top, "", 0)
    return Checkout(frozenset(folders), frozenset(files))


def find_made(workspace: Path, checkout: Checkout, ignored: Ignored) -> BuiltFiles:
    """Find what a build made that can be lent, without its size. Raises OSError, EnvironmentRefused."""
    _open_up(workspace)
    found, names = _Found(), _Names(_SETUP_MADE, _MAKE_FEWER)
    with _opened(workspace) as top:
        _find(top, "", 0, checkout, found, names)
    made = [*(f"{path}/" for path in found.folders), *found.files]
    hidden = ignored(made)
    folders = sorted(path for path in found.folders if f"{path}/" in hidden)
    copied = sorted(path for path in found.files if path in hidden)
    _require_few(folders)
    _require_small(copied, sum(found.files[path] for path in copied))
    left_out = sorted({*found.odd, *(set(made) - hidden)})
    return BuiltFiles(tuple(folders), tuple(copied), tuple(left_out[:_MOST_NAMED]))


def take(made: BuiltFiles, workspace: Path, home: Path, folders: Path, copied: Path) -> BuiltFiles:
    """Move what is lent to folders of its own, by number, make it readable for its owner, count it, and remove the rest.

    Names of the build's choice are in no path by which it is mounted. Set-uid bits go, and what is neither file, folder nor
    link. May be repeated. Raises OSError, EnvironmentRefused.
    """
    for place, paths in ((folders, made.folders), (copied, made.copied)):
        place.mkdir(mode=0o700, exist_ok=True)
        for number, path in enumerate(paths):
            if not os.path.lexists(place / str(number)):
                _move(workspace, path, place, str(number))
    remove_tree(workspace)
    _open_up(home)
    tally, names = _Tally(), _Names(_SETUP_MADE, _MAKE_FEWER)
    for place, above, called in ((folders, "", made.folders), (copied, "", made.copied), (home, "$HOME/", ())):
        with _opened(place) as top:
            _settle(top, _Place(above, 0, len(os.fsencode(place))), tally, names, called)
    return replace(made, files=tally.files, size=round(tally.size))


def _require_few(folders: list[str]) -> None:
    if len(folders) > MOST_FOLDERS:
        raise EnvironmentRefused(
            f"the setup made {len(folders):,} folders in the checkout, `{folders[0]}` and `{folders[-1]}` among them; "
            f"{MOST_FOLDERS} can be lent",
            remediation="Let `setup` in .moonmind.yml make fewer folders of their own, or make them in $HOME; then retry the run.",
        )


def _require_small(copied: list[str], size: int) -> None:
    if len(copied) > MOST_COPIED or size > MOST_COPIED_BYTES:
        raise EnvironmentRefused(
            f"the setup made {len(copied):,} single files of {size >> 20:,} MiB in the checkout, `{copied[0]}` among them; "
            f"{MOST_COPIED} of together {MOST_COPIED_BYTES >> 20} MiB can be copied to jobs",
            remediation="Let `setup` in .moonmind.yml put them into a folder that an ignore rule hides; then retry the run.",
        )


def _move(top: Path, path: str, target: Path, name: str) -> None:
    *above, base = path.split("/")
    source = open_below(top, above)
    try:
        with _opened(target) as into, _writable(source):
            try:
                os.rename(base, name, src_dir_fd=source, dst_dir_fd=into)
            except PermissionError:  # a folder that its owner may not write keeps its `..`
                with _entered(base, source) as moved, _writable(moved):
                    os.rename(base, name, src_dir_fd=source, dst_dir_fd=into)
    finally:
        os.close(source)


def _open_up(place: Path) -> None:
    with _opened(place.parent) as above:
        change_mode(place.name, above, 0o700)


class _Names:
    """Counts the names that are looked at, in each folder and in all."""

    def __init__(self, whose: str, remediation: str) -> None:
        self._whose, self._remediation = whose, remediation
        self._all = 0

    def of(self, handle: int, above: str) -> "Iterator[os.DirEntry[str]]":
        """Yield the names of a folder one by one: none of them is remembered. Raises OSError, EnvironmentRefused."""
        with os.scandir(handle) as entries:
            for number, entry in enumerate(entries, start=1):
                self._all += 1
                if number > MOST_IN_FOLDER:
                    raise self._too_many(f"{MOST_IN_FOLDER:,} files in one folder, {_shown(above)}")
                if self._all > MOST_NAMES:
                    raise self._too_many(f"{MOST_NAMES:,} files and folders")
                yield entry

    def _too_many(self, words: str) -> EnvironmentRefused:
        return EnvironmentRefused(f"{self._whose} more than {words}", remediation=self._remediation)


@dataclass
class _Found:
    folders: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    """Sizes, by path."""
    odd: list[str] = field(default_factory=list)

    def require_few(self, above: str) -> None:
        """Raise EnvironmentRefused once there are too many of them."""
        if len(self.folders) + len(self.files) + len(self.odd) > MOST_NEW:
            raise EnvironmentRefused(
                f"{_SETUP_MADE} more than {MOST_NEW:,} files and folders in the repository's own folders, the last of them in "
                f"{_shown(above)}",
                remediation="Let `setup` in .moonmind.yml put them into a folder of its own; then retry the run.",
            )


@dataclass
class _Tally:
    files: int = 0
    size: float = 0.0
    """Bytes."""

    def add(self, found: os.stat_result) -> None:
        shares = 1
        if not stat.S_ISDIR(found.st_mode):
            self.files += 1
            # All names of a file are among what is counted: a build can make none elsewhere, and the rest was removed.
            shares = found.st_nlink
        self.size += found.st_blocks * _BLOCK / max(shares, 1)


def _find(handle: int, above: str, depth: int, checkout: Checkout, found: _Found, names: _Names) -> None:
    _require_shallow(depth, above)
    for entry in names.of(handle, above):
        path = above + entry.name
        if path not in checkout.folders:
            _find_new(entry, path, checkout, found)
        elif entry.is_symlink():
            raise EnvironmentRefused(
                f"the setup replaced the folder `{path}` of the repository by a link, which could lead anywhere",
                remediation="Let `setup` in .moonmind.yml leave the repository's own folders as they are; then retry the run.",
            )
        elif entry.is_dir(follow_symlinks=False):
            with _entered(entry.name, handle) as inner:
                _find(inner, f"{path}/", depth + 1, checkout, found, names)
        else:
            found.odd.append(path)
        found.require_few(above)


def _find_new(entry: "os.DirEntry[str]", path: str, checkout: Checkout, found: _Found) -> None:
    if entry.name in _NEVER_LENT:
        return
    status = entry.stat(follow_symlinks=False)
    is_folder = stat.S_ISDIR(status.st_mode)
    if path in checkout.files:
        if is_folder:
            found.odd.append(f"{path}/")
    elif not _is_text(path):
        found.odd.append(os.fsencode(path).decode("utf-8", "backslashreplace"))
    elif is_folder:
        found.folders.append(path)
    elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        found.files[path] = status.st_size
    else:
        found.odd.append(path)


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder that is looked at: its path as people know it, how deep it is, and the bytes of its path on the disk."""

    above: str
    depth: int
    length: int


def _settle(handle: int, place: _Place, tally: _Tally, names: _Names, called: Sequence[str] = ()) -> None:
    """Settle a folder; `called` are the paths of what is in it by number, if it is."""
    _require_shallow(place.depth, place.above)
    for entry in names.of(handle, place.above):
        status = entry.stat(follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode)
        length = place.length + 1 + len(os.fsencode(entry.name))
        if length > _LONGEST:
            raise EnvironmentRefused(f"the setup made a file whose path is longer than {_LONGEST:,} bytes")
        if stat.S_ISDIR(status.st_mode):
            _give_mode(entry.name, handle, mode, mode & 0o1777 | stat.S_IRUSR | stat.S_IXUSR)
            name = called[int(entry.name)] if called else entry.name
            with _entered(entry.name, handle) as inner:
                _settle(inner, _Place(f"{place.above}{name}/", place.depth + 1, length), tally, names)
        elif stat.S_ISREG(status.st_mode):
            _give_mode(entry.name, handle, mode, mode & 0o1777 | stat.S_IRUSR)
        elif not stat.S_ISLNK(status.st_mode):
            with _writable(handle):
                os.unlink(entry.name, dir_fd=handle)
            continue
        tally.add(status)


def _give_mode(name: str, folder: int, mode: int, wanted: int) -> None:
    if mode != wanted:
        change_mode(name, folder, wanted)


@contextlib.contextmanager
def _writable(handle: int) -> Iterator[None]:
    mode = stat.S_IMODE(os.fstat(handle).st_mode)
    os.fchmod(handle, mode | stat.S_IWUSR)
    try:
        yield
    finally:
        os.fchmod(handle, mode)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = open_below(path, ())
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _entered(name: str, folder: int) -> Iterator[int]:
    try:
        handle = os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        change_mode(name, folder, 0o700)
        handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _require_shallow(depth: int, above: str) -> None:
    if depth > MOST_DEPTH:
        raise EnvironmentRefused(f"the setup made folders inside of folders, more than {MOST_DEPTH} in {_shown(above)}")


def _shown(above: str) -> str:
    """Return a folder as it is named to people: a part of its path, and signs that are no text as escapes."""
    if not above:
        return "the topmost one"
    text = os.fsencode(above.rstrip("/")).decode("utf-8", "backslashreplace")
    return f"`{text}`" if len(text) <= _LONGEST_SHOWN else f"`{text[:_LONGEST_SHOWN]}...`"


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
