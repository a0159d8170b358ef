"""The files of a commit or a checkout, asked whether something that a task names is there."""

from collections.abc import Iterable

from moonmind.speckit.targets import is_folder


class Tree:
    """Answers for one listing of paths; letter case does not matter, as on the systems where authors write tasks."""

    __slots__ = ("_by_name", "_files", "_folders", "paths")

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
        self._by_name: dict[str, list[str]] | None = None

    def find(self, path: str, root: str = "") -> str | None:
        """Return where a named file or folder is, in lower case; None where it is not there.

        It is looked for below the project's root, below the repository's, and, as authors leave out the folder of a package, at
        the one place in the tree whose path ends like it.
        """
        name = path.rstrip("/").casefold()
        for whole in dict.fromkeys((f"{root.casefold()}/{name}" if root else name, name)):
            if whole in self._files or whole in self._folders:
                return whole
        ends = [one for one in self._named(name.rpartition("/")[2]) if one.endswith(f"/{name}")] if "/" in name else []
        return ends[0] if len(ends) == 1 else None

    def _named(self, name: str) -> list[str]:
        if self._by_name is None:
            self._by_name = {}
            for path in self._files:
                self._by_name.setdefault(path.rpartition("/")[2], []).append(path)
        return self._by_name.get(name, [])

    def is_common(self, path: str) -> bool:
        """Return True for what most repositories have anyway: files and folders at the root, and hidden ones."""
        name = path.rstrip("/")
        return "/" not in name or name.startswith(".") or (is_folder(path) and name.count("/") < _SHALLOW)


_SHALLOW = 2
"""Folders: `src/components` is there in many a template."""
