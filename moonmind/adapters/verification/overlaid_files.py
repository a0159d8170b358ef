"""Puts files over a checkout that somebody else wrote: no link in it is followed, and what is in the way goes."""

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from moonmind.adapters.trees import open_below, remove_tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def put_over(tree: Path, files: Mapping[str, bytes | None], executable: Collection[str] = ()) -> None:
    """Write the files, by their paths from the tree's root, or remove those that are None. Raises OSError, ValueError.

    One of `executable`, or in the place of one that could be run, can be run.
    """
    for path, content in files.items():
        _put(tree, path, content, path in executable)


def _put(tree: Path, path: str, content: bytes | None, executable: bool) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].casefold() == ".git":
        raise ValueError(f"{path!r} is no path of a file in a tree")
    *above, name = parts
    handle = open_below(tree, ())
    here = tree
    try:
        for part in above:
            if content is None and not os.path.lexists(here / part):
                return
            handle = _entered(handle, part)
            here /= part
        mode = 0o755 if executable else _mode(handle, name)
        with contextlib.suppress(FileNotFoundError):
            _clear(handle, here, name)
        if content is not None:
            file = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=handle
            )
            with os.fdopen(file, "wb") as target:
                target.write(content)
    finally:
        os.close(handle)


def _mode(handle: int, name: str) -> int:
    """Return the mode of the file that is replaced, so that what could be run still can be."""
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
        if stat.S_ISREG(found) and found & stat.S_IXUSR:
            return 0o755
    return 0o644


def _entered(handle: int, part: str) -> int:
    """Open a folder in the open one, which is closed; it is made where there is none. What else has its name goes."""
    try:
        try:
            return os.open(part, _FOLDER, dir_fd=handle)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            os.unlink(part, dir_fd=handle)
        os.mkdir(part, 0o755, dir_fd=handle)
        return os.open(part, _FOLDER, dir_fd=handle)
    finally:
        os.close(handle)


def _clear(handle: int, here: Path, name: str) -> None:
    try:
        os.unlink(name, dir_fd=handle)
    except (IsADirectoryError, PermissionError):
        remove_tree(here / name)
