"""Which folders of what jobs may read hold programs: they come after the system's on a job's search path."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def tool_folders(read: Iterable[Path]) -> tuple[str, ...]:
    """Return a folder that holds programs, its `bin` that does, and the folder of a program that is named itself."""
    found = (str(folder) for path in read for folder in _folders(path))
    return tuple(dict.fromkeys(folder for folder in found if os.pathsep not in folder))


def _folders(path: Path) -> Iterator[Path]:
    if path.is_file() and os.access(path, os.X_OK):
        yield path.parent
    for folder in (path, path / "bin"):
        if _holds_programs(folder):
            yield folder


def _holds_programs(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_file() and os.access(entry.path, os.X_OK) for entry in entries)
    except OSError:
        return False  # no folder, or a closed one: whoever shows it says so
