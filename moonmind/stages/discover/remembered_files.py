"""What tasks.md files say, remembered by this process: at the next run of a repository, most of them are as they were."""

from functools import lru_cache

from moonmind.speckit.finished_file import read_or_count
from moonmind.speckit.spec_tasks import TasksFile

LARGEST = 64 * 1024
"""Bytes of a file that is remembered; it takes up to five times as much."""
_MOST = 128


def read_remembered(data: bytes, *, name: str) -> TasksFile:
    """Read a tasks.md as `read_or_count` does, again only if these very bytes were not among the last files that were read."""
    return _remembered(data, name) if len(data) <= LARGEST else read_or_count(data, name=name)


def forget() -> None:
    """Remember nothing, as a process that has just started."""
    _remembered.cache_clear()


@lru_cache(maxsize=_MOST)
def _remembered(data: bytes, name: str) -> TasksFile:
    return read_or_count(data, name=name)
