"""Files that several processes share: locks, whole writes, and folders that are there whole or not at all."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from moonmind.adapters.trees import open_up, remove_tree

_PACE_SECONDS = 0.02
_BUILDING = ".building"
_HANDED_ON: ContextVar[tuple[int, ...]] = ContextVar("_HANDED_ON", default=())


def handed_on() -> tuple[int, ...]:
    """Return the file descriptors of the locks that a command begun here and now is to hold as well."""
    return _HANDED_ON.get()


@contextlib.contextmanager
def locked(path: Path, patience: float, *, hand_on: bool = False) -> Iterator[None]:
    """Hold an exclusive lock on a file, made if need be; it ends with the process. TimeoutError after `patience` seconds.

    With `hand_on` it ends with the process and the commands that it began meanwhile: one that outlives a killed process
    goes on writing, and the next holder of the lock must find it ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _wait(handle, path, deadline)
            # The previous holder may have removed the file: then the lock is on a file that no other process will find.
            if _still_there(handle, path):
                token = _HANDED_ON.set((*handed_on(), handle) if hand_on else handed_on())
                try:
                    yield
                finally:
                    _HANDED_ON.reset(token)
                    fcntl.flock(handle, fcntl.LOCK_UN)  # closing is not enough where a command's own child still has it
                return
        finally:
            os.close(handle)


def _wait(handle: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path.name} is held by another process") from None
            time.sleep(_PACE_SECONDS)
        else:
            return


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that after any crash it is the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def building_folder(place: Path) -> Path:
    """Make a folder beside `place`, to be renamed to it when it is whole; what builders that died left is removed.

    Each has a name of its own: a command that outlives its dead builder must not write into the next one's folder.
    """
    _remove_leftovers(place)
    return Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.", suffix=_BUILDING))


def discard(place: Path) -> None:
    """Remove a folder so that a removal that dies half-way leaves nothing that looks whole."""
    if place.exists() or place.is_symlink():
        _move(place, building_folder(place) / "discarded")
    _remove_leftovers(place)


def _move(place: Path, target: Path) -> None:
    try:
        place.rename(target)
    except PermissionError:  # a folder that its owner may not write keeps its `..`
        above = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            open_up(place.name, above)
        finally:
            os.close(above)
        place.rename(target)


def _remove_leftovers(place: Path) -> None:
    for leftover in place.parent.glob(f".{place.name}.*{_BUILDING}"):
        remove_tree(leftover)
