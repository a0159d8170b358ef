"""Watches the space on the disk while a build works, which nothing else bounds: how much its files take, and how much is left.

All that it looks at is hostile, and changes meanwhile: no link is followed, and no path is built. What a build hides, in
folders that are too deep or closed to their owner, is not counted; what is left on the disk tells of that, too.
"""

import os
import stat
import threading
import time

from moonmind.adapters.supervisor.order import Space

_FREE_SECONDS = 1.0
"""How often it is looked how much is left."""
_REST_SHARE = 10.0
"""Files are counted again after so many times as long as counting them took."""
_MOST_DEPTH = 64
"""Each level holds two open files."""
_BLOCK = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SpaceWatch:
    """Watches one job. `problem` says what is too much or too little, and is empty while all is well."""

    def __init__(self, terms: Space) -> None:
        self._terms = terms
        self.problem = ""

    def begin(self) -> None:
        """Begin to watch, in threads that end with the process."""
        for name, watch in (("space left", self._watch_free), ("space taken", self._watch_taken)):
            threading.Thread(target=watch, name=name, daemon=True).start()

    def _watch_free(self) -> None:
        while not self.problem:
            for folder in self._terms.folders:
                free = _free(folder)
                if free is not None and free < self._terms.least_free:
                    self.problem = (
                        f"its disk has less than {_shown(self._terms.least_free)} left; free some space on this host"
                    )
            time.sleep(_FREE_SECONDS)

    def _watch_taken(self) -> None:
        rest = self._terms.count_seconds
        while not self.problem:
            time.sleep(rest)
            began = time.monotonic()
            if sum(map(taken, self._terms.folders)) > self._terms.most_bytes:
                self.problem = (
                    f"what it wrote takes more than {_shown(self._terms.most_bytes)}; let `setup` in .moonmind.yml install less, or "
                    f"have an operator raise {self._terms.setting}"
                )
                return
            rest = max(self._terms.count_seconds, (time.monotonic() - began) * _REST_SHARE)


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


def _free(folder: str) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _shown(size: int) -> str:
    """Return a size for people."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"
