"""Removes folders that other programs filled, however deep, wide or closed they are.

Nothing here recurses, builds a long path or follows a link: folders are opened one inside the other.
"""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PACE_SECONDS = 0.02
_STILL_WRITING_SECONDS = 10.0
"""A command whose starter was killed may go on writing into a folder for a moment while it is removed."""
_MOST_LEVELS = 32
"""Folders open at once. What lies deeper is moved up to the top first, so that depth costs neither files nor stack."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHANGED_MEANWHILE = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class _Level:
    """An open folder, its name in the folder above, and the folders in it that are still there."""

    handle: int
    name: str
    folders: list[str]


def remove_tree(path: Path) -> None:
    """Remove a folder and what is in it, whatever permissions its owner left; nothing there is no error.

    Links are removed, never followed. Raises OSError where something cannot be removed.
    """
    deadline = time.monotonic() + _STILL_WRITING_SECONDS
    while True:
        try:
            _remove_once(path)
        except OSError as error:
            if error.errno not in _CHANGED_MEANWHILE or time.monotonic() > deadline:
                raise
            time.sleep(_PACE_SECONDS)
        else:
            return


def open_up(name: str, folder: int) -> None:
    """Let the owner of a folder list and change it. Nothing but a folder is touched."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _set_mode(handle, 0o700)
    finally:
        os.close(handle)


def change_mode(name: str, folder: int, mode: int) -> None:
    """Set the mode of a file or folder, of whatever mode it is now. Raises OSError, also for a link."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _set_mode(handle, mode)
    finally:
        os.close(handle)


def _set_mode(handle: int, mode: int) -> None:
    os.chmod(f"/proc/self/fd/{handle}", mode)  # noqa: PTH101 - what is open itself, whatever its name is now


def open_below(root: Path, parts: Iterable[str]) -> int:
    """Open a folder through the folders above it one by one, and return its descriptor. Raises OSError, also for a link."""
    handle = os.open(root, _FOLDER)
    for part in parts:
        try:
            inner = os.open(part, _FOLDER, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def _remove_once(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        path.unlink(missing_ok=True)
        return
    above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _empty(path.name, above)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path.name, dir_fd=above)
    finally:
        os.close(above)


def _empty(top: str, above: int) -> None:
    levels: list[_Level] = []
    try:
        levels.append(_entered(top, above))
        while True:
            level = levels[-1]
            if not level.folders:
                if len(levels) == 1:
                    return
                levels.pop()
                os.close(level.handle)
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(level.name, dir_fd=levels[-1].handle)
                continue
            name = level.folders.pop()
            with contextlib.suppress(FileNotFoundError):
                if len(levels) < _MOST_LEVELS:
                    levels.append(_entered(name, level.handle))
                else:
                    levels[0].folders.append(_moved_up(name, level.handle, levels[0].handle))
    finally:
        for level in levels:
            os.close(level.handle)


def _entered(name: str, above: int) -> _Level:
    """Open a folder and remove everything in it but its folders."""
    try:
        handle = os.open(name, _FOLDER, dir_fd=above)
    except PermissionError:
        open_up(name, above)
        handle = os.open(name, _FOLDER, dir_fd=above)
    try:
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(handle, 0o700)
        folders = []
        with os.scandir(handle) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.name, dir_fd=handle)
    except BaseException:
        os.close(handle)
        raise
    return _Level(handle, name, folders)


def _moved_up(name: str, folder: int, top: int) -> str:
    moved = f".{secrets.token_hex(8)}"
    try:
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=top)
    except PermissionError:  # a folder's own `..` changes with the move
        open_up(name, folder)
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=top)
    return moved


def give_to(root: Path, uid: int, gid: int) -> None:
    """Make a user the owner of a folder and all that is in it; of links themselves, never of what they name.

    Nobody else may work in the folder meanwhile. Raises OSError, also for folders that lie deeper than a path can say.
    """
    _own(root, root.lstat(), uid, gid)
    waiting = [os.fspath(root)] if root.is_dir() and not root.is_symlink() else []
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                _own(entry.path, entry.stat(follow_symlinks=False), uid, gid)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _own(path: str | Path, found: os.stat_result, uid: int, gid: int) -> None:
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(path, uid, gid, follow_symlinks=False)
