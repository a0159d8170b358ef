"""Reads and lists files of a folder that any program may have filled: nothing hangs, and nothing is read without end."""

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from moonmind.errors import SpecUnreadable

LARGEST = 1 << 22
"""Bytes. No file that Spec Kit writes comes near it."""


def read_file(place: Path, limit: int = LARGEST) -> bytes:
    """Read a regular file, or what a link leads to if that is one; at most `limit` bytes and one more.

    Raises SpecUnreadable where there is something else, or what is there may not be read.
    """
    try:
        # Looked at before it is opened: opening some devices does something.
        if not stat.S_ISREG(place.stat().st_mode):
            raise SpecUnreadable(f"{place} is {_kind(place)}, not a file.", remediation="Put a regular file there.")
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SpecUnreadable(f"{place} changed while it was read.", remediation="Do it again.")
            return file.read(limit + 1)
    except OSError as error:
        raise SpecUnreadable(f"{place} cannot be read: {error.strerror}.") from error


def walk(root: Path, passed_over: Collection[str]) -> Iterator[str]:
    """List the files below a folder by their paths in it.

    Folders of some names, links to folders, and what cannot be opened are passed over.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in passed_over:
                            waiting.append(path)
                    elif not (entry.is_symlink() and (root / path).is_dir()):
                        yield path
        except OSError:
            continue


def _kind(place: Path) -> str:
    mode = place.stat().st_mode
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    return next((words for is_one, words in kinds if is_one(mode)), "a device")
