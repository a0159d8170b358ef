"""Folders as a hostile or careless program leaves them, made by open folders: their paths fit into no call."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.trees import remove_tree

_made: list[Path] = []


@pytest.fixture(autouse=True)
def no_deep_folders_left() -> Iterator[None]:
    """Remove what a test made deep: pytest's own clean-up would break on it, in this session and in later ones."""
    yield
    while _made:
        remove_tree(_made.pop())


def deepen(folder: Path, levels: int, *, name: str = "d", leaf: str | None = "f", closed: bool = False) -> None:
    """Make a chain of folders in a folder, a file at its end; with `closed` each is one that its owner may not list."""
    folder.mkdir(parents=True, exist_ok=True)
    _made.append(folder)
    handle = os.open(folder, os.O_RDONLY)
    handles: list[int] = []
    for _ in range(levels):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        if closed:
            handles.append(handle)
        else:
            os.close(handle)
        handle = inner
    if leaf is not None:
        os.close(os.open(leaf, os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    for outer in [*handles, handle]:
        if closed:
            os.fchmod(outer, 0)
        os.close(outer)
