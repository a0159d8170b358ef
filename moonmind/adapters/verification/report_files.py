"""Finds and reads the reports of a test job: what it wrote is hostile, so number, size and depth are bounded."""

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from moonmind.proof.path_globs import PathPatterns

MOST_REPORTS = 200
LARGEST_REPORT = 8 << 20
"""Bytes."""
MOST_BYTES = 32 << 20
"""Of all reports of a job together."""
_MOST_ENTRIES = 200_000
_DEEPEST = 30
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def matching(top: Path, patterns: Collection[str]) -> Iterator[str]:
    """Yield the paths, from the top, of files that fit one of the patterns. No link is followed.

    At most 200,000 names are looked at, 30 folders deep.
    """
    if not patterns:
        return
    fits = PathPatterns(tuple(patterns))
    waiting, looked = [("", 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(top / folder) as entries:
                for entry in entries:
                    looked += 1
                    if looked > _MOST_ENTRIES:
                        return
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if depth < _DEEPEST and entry.name != ".git":
                            waiting.append((path, depth + 1))
                    elif fits.match(path):
                        yield path
        except OSError:
            continue  # not ours to read, or too long a name: no report is there


def read_report_files(top: Path, patterns: Collection[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return path and content of each report in the order of their paths, and in words which were left out."""
    found: list[tuple[str, bytes]] = []
    notes: list[str] = []
    left = MOST_BYTES
    for path in sorted(matching(top, patterns)):
        if len(found) >= MOST_REPORTS:
            notes.append(f"more than {MOST_REPORTS} reports; the rest is not read")
            break
        content, why = _read(top / path, min(LARGEST_REPORT, left))
        if content is None:
            notes.append(f"the report {path} is not read: {why}")
            continue
        left -= len(content)
        found.append((path, content))
    return found, notes


def _read(path: Path, most: int) -> tuple[bytes | None, str]:
    try:
        handle = os.open(path, _FILE)
    except OSError as error:
        return None, error.strerror or str(error)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None, "it is no file"
        content = file.read(most + 1)
    return (content, "") if len(content) <= most else (None, "it is too large")
