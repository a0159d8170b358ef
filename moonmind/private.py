"""Who may read what the service leaves on disk: its own user only, whatever umask it was started with."""

import os
import stat
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
OTHERS = 0o077
"""The bits of the group and of everybody else."""


def keep_private() -> None:
    """Make this process and its children create files for their own user alone; wider permissions are set per file."""
    os.umask(UMASK)


def make_private(path: Path) -> None:
    """Take a file or folder of ours from everybody else, where an earlier program or another umask left it open.

    Links, other users' files and what is not there stay as they are.
    """
    with suppress(OSError):
        # By its path alone: to open and close a database's file would end every lock that SQLite holds on it here.
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            if kind and found.st_uid == os.geteuid() and found.st_mode & OTHERS:
                Path(f"/proc/self/fd/{handle}").chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
        finally:
            os.close(handle)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder and its missing parents with exactly this mode; what exists keeps its own. Raises OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(mode)
        except FileExistsError:
            continue  # another process made it just now
        folder.chmod(mode)
    path.mkdir(exist_ok=True)  # raises where something else has the name
