"""Watches the space on the disk while a job works, which nothing else bounds: how much its files take, and how much is left.

All that it looks at is hostile, and changes meanwhile: no link is followed, and no path is built. What a job hides, in
folders that are too deep or closed to their owner, is not counted; what is left on the disk tells of that, too.
"""

import os
import stat
import threading
import time

from moonmind.adapters.supervisor.order import Space
from moonmind.adapters.supervisor.watch import End

_FREE_SECONDS = 1.0
"""How often it is looked how much is left."""
_REST_SHARE = 10.0
"""Files are counted again after so many times as long as counting them took."""
_LEAST_FILES = 10_000
"""Names that are left on the disk, where its file system counts them."""
_MOST_DEPTH = 64
"""Each level holds two open files."""
_BLOCK = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SpaceWatch:
    """Watches one job. `end` is set once something is too much or too little, and `problem` says what."""

    def __init__(self, terms: Space) -> None:
        self._terms = terms
        self.problem = ""
        self.end: End | None = None

    def begin(self) -> None:
        """Begin to watch, in threads that end with the process."""
        for name, watch in (("space left", self._watch_free), ("space taken", self._watch_taken)):
            threading.Thread(target=watch, name=name, daemon=True).start()

    def _watch_free(self) -> None:
        while self.end is None:
            for folder in self._terms.folders:
                if words := _short(folder, self._terms.least_free):
                    self._note(End.DISK_FULL, f"its disk has {words} left; free some space on this host")
            time.sleep(_FREE_SECONDS)

    def _watch_taken(self) -> None:
        rest = self._terms.count_seconds
        while self.end is None:
            time.sleep(rest)
            began = time.monotonic()
            if sum(map(taken, self._terms.folders)) > self._terms.before + self._terms.most_bytes:
                limit = f"what it wrote takes more than {_shown(self._terms.most_bytes)}"
                self._note(End.SPACE_LIMIT, f"{limit}; {self._terms.remedy}")
                return
            rest = max(self._terms.count_seconds, (time.monotonic() - began) * _REST_SHARE)

    def _note(self, end: End, problem: str) -> None:
        if self.end is None:
            self.problem, self.end = problem, end


def taken(folder: str) -> int:
    """Return how many bytes on the disk the files of a folder take, as far as they can be seen."""
    return round(_taken(folder, None, 0))


def _taken(name: str, above: int | None, depth: int) -> float:
    total = 0.0
    try:
        handle = os.open(name, _FOLDER, dir_fd=above)
    except OSError:
        return total
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                try:
                    found = os.stat(entry.name, dir_fd=handle, follow_symlinks=False)
                except OSError:
                    continue  # it is gone by now
                is_folder = stat.S_ISDIR(found.st_mode)
                # A file of several names is counted in parts: that needs no memory of those seen.
                total += found.st_blocks * _BLOCK / (1 if is_folder else max(found.st_nlink, 1))
                if is_folder and depth < _MOST_DEPTH:
                    total += _taken(entry.name, handle, depth + 1)
    except OSError:
        return total
    finally:
        os.close(handle)
    return total


def _short(folder: str, least_free: int) -> str:
    """Return how little is left on a folder's disk; empty where it is enough."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return ""
    if found.f_bavail * found.f_frsize < least_free:
        return f"less than {_shown(least_free)}"
    return f"room for fewer than {_LEAST_FILES} more files" if found.f_files and found.f_favail < _LEAST_FILES else ""


def _shown(size: int) -> str:
    """Return a size for people."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"
