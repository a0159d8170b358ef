"""The files of a commit or a checkout, asked whether something that a task names is there."""

from bisect import bisect_left
from collections.abc import Iterable

from moonmind.speckit.targets import is_folder


class Tree:
    """Answers for one listing of paths; letter case does not matter, as on the systems where authors write tasks."""

    __slots__ = ("_backwards", "_files", "_folders", "paths")

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(paths)
        self._files = frozenset(path.casefold() for path in self.paths)
        folders: set[str] = set()
        for path in self._files:
            above = path.rpartition("/")[0]
            while above and above not in folders:
                folders.add(above)
                above = above.rpartition("/")[0]
        self._folders = frozenset(folders)
        self._backwards: list[str] | None = None

    def find(self, path: str, root: str = "") -> str | None:
        """Return where a named file or folder is, in lower case; None where it is not there.

        It is looked for below the project's root, below the repository's, and, as authors leave out the folder of a package, at
        the one place in the tree whose path ends like it.
        """
        name = path.rstrip("/").casefold()
        for whole in dict.fromkeys((f"{root.casefold()}/{name}" if root else name, name)):
            if whole in self._files or whole in self._folders:
                return whole
        return self._only_one_ending(f"/{name}") if "/" in name else None

    def _only_one_ending(self, end: str) -> str | None:
        """Return the file whose path ends so; None where there is none, or several."""
        if self._backwards is None:
            self._backwards = sorted(path[::-1] for path in self._files)  # those with the same end stand side by side
        begin = bisect_left(self._backwards, end[::-1])
        found = [one for one in self._backwards[begin : begin + 2] if one.startswith(end[::-1])]
        return found[0][::-1] if len(found) == 1 else None

    def is_common(self, path: str) -> bool:
        """Return True for what most repositories have anyway: files and folders at the root, and hidden ones."""
        name = path.rstrip("/")
        return "/" not in name or name.startswith(".") or (is_folder(path) and name.count("/") < _SHALLOW)


_SHALLOW = 2
"""Folders: `src/components` is there in many a template."""
