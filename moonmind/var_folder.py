"""The folder `var` of the working directory, and whether this installation made the one in a foreign work tree.

A clone can bring along a database, repositories with hooks, and files that name processes. So the first use notes, outside
of the work tree, which folder it made there: its path, and a mark that lies in the folder too. Without its note, such a
folder is not used. Device and inode say nothing: they change with a reboot, and the next folder can get the same ones.
"""

import fcntl
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from moonmind import env_file
from moonmind.errors import FolderRefused
from moonmind.private import make_folder

NAME = "var"
MARK = ".moonmind"
_LONGEST_MARK = 64
_MODE = 0o750  # artifacts, which the group may read, are below it
_NOTES = Path("moonmind/folders")
_KNOWN = ("moonmind.db", "server.json", "celerybeat-schedule", "artifacts", "repositories")


def check(defaults: Mapping[str, Path], state_home: Path | None) -> None:
    """Raise FolderRefused if `var` belongs to a foreign work tree, has content, and has no note of this user.

    `defaults` are the variables that nobody set, and what they stand for; `state_home` is the folder for users' state.
    """
    found = _in_foreign_tree()
    if found is not None and (why := _foreign(*found, state_home)) is not None:
        place, tree = found
        notes = _notes(tree, state_home)
        if notes is not None and notes.is_dir():
            with suppress(OSError), _alone(notes):  # another process of ours may just make its note
                why = _foreign(*found, state_home)
        if why is None:
            return
        raise _refusal(
            f"{place} was not created by this MoonMind ({why}), and {tree} is a git work tree other than its own",
            defaults,
        )


def claim(defaults: Mapping[str, Path], state_home: Path | None) -> None:
    """Make `var` in a foreign work tree, and note that it is ours; elsewhere do nothing. Raises FolderRefused."""
    check(defaults, state_home)
    found = _in_foreign_tree()
    if found is None:
        return
    place, tree = found
    notes = _notes(tree, state_home)
    if notes is None:
        raise _refusal(
            f"there is no folder outside of the git work tree {tree} in which to note that {place} is this MoonMind's",
            defaults,
        )
    if _noted(place, notes):
        return
    made = not place.exists()
    try:
        make_folder(place, _MODE)
        with _alone(notes):  # processes that start together make one note
            if _foreign(place, tree, state_home) is None and not _noted(place, notes):
                _note(place, notes)
    except OSError as error:
        if made:
            with suppress(OSError):
                place.rmdir()
        raise _refusal(
            f"{place} cannot be made and noted in {notes} ({error.strerror or error}), as the git work tree {tree}, which "
            "is not this MoonMind's own, needs it",
            defaults,
        ) from None


def _in_foreign_tree() -> tuple[Path, Path] | None:
    """Return `var` and the foreign work tree that it is in, or that it is; None where it is the operator's."""
    try:
        place = Path.cwd() / NAME
    except FileNotFoundError:  # the working directory was removed
        return None
    # A clone can have the name `var` itself, and a link can lead into one; what is closed to us is not used either way.
    tree = env_file.foreign_tree(place.parent, *([place] if os.access(place, os.X_OK) else []))
    return None if tree is None else (place, tree)


def _foreign(place: Path, tree: Path, state_home: Path | None) -> str | None:
    """Return why the folder is not ours; None for one that is, is empty, or is not there."""
    try:
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return "it is a link" if stat.S_ISLNK(found.st_mode) else "it is no folder"
        names = [
            path.name for path in place.iterdir() if not path.name.startswith(MARK)
        ]  # before the note is read: another process of ours may just have begun
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    notes = _notes(tree, state_home)
    if not names or (notes is not None and _noted(place, notes)):
        return None
    known = [name for name in _KNOWN if name in names]
    return f"it holds {', '.join(known) or 'files'}"


def _notes(tree: Path, state_home: Path | None) -> Path | None:
    """Return the folder of notes; None where there is none that the work tree could not have brought along."""
    try:
        base = state_home if state_home is not None else Path.home() / ".local" / "state"
        notes = base.expanduser().absolute() / _NOTES
    except RuntimeError:  # the user has no home
        return None
    return None if Path(os.path.realpath(notes)).is_relative_to(tree) else notes


def _file(place: Path, notes: Path) -> Path:
    return notes / f"{hashlib.sha256(os.fsencode(place)).hexdigest()}.json"


def _body(place: Path, mark: str) -> dict[str, object]:
    return {"path": str(place), "mark": mark}


def _mark(place: Path) -> str:
    """Read the folder's mark, which may have come with a clone; raises OSError."""
    with os.fdopen(os.open(place / MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read(_LONGEST_MARK).decode("ascii", "replace")


@contextmanager
def _alone(notes: Path) -> Iterator[None]:
    """Let one process at a time read and write the notes; raises OSError."""
    make_folder(notes, 0o700)
    with os.fdopen(os.open(notes / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _noted(place: Path, notes: Path) -> bool:
    try:
        return bool(json.loads(_file(place, notes).read_text("utf-8")) == _body(place, _mark(place)))
    except (OSError, ValueError):
        return False


def _note(place: Path, notes: Path) -> None:
    """Write the note, then the mark: a folder that holds no more than a mark is taken at any time."""
    mark = secrets.token_hex(_LONGEST_MARK // 2)
    _write(_file(place, notes), json.dumps(_body(place, mark)))
    _write(place / MARK, mark)


def _write(path: Path, text: str) -> None:
    """Write a file for this user alone, whole or not at all, whatever stood there."""
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _refusal(what: str, defaults: Mapping[str, Path]) -> FolderRefused:
    if not defaults:
        return FolderRefused(what, remediation="Start it in another folder.")
    unset = " and ".join(filter(None, (", ".join([*defaults][:-1]), [*defaults][-1])))
    settings = " ".join(f"{variable}={path.absolute()}" for variable, path in defaults.items())
    return FolderRefused(
        f"{what}: it is not used while {unset} {'are' if len(defaults) > 1 else 'is'} not set",
        remediation=f"If the folder is yours, set {settings}. Otherwise leave that work tree, or set them to other folders.",
    )
