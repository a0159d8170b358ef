"""What the tasks of a phase ask for by name."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A path that a task asks to change, or to delete."""

    task: str
    path: str
    removed: bool = False


class AskedPaths:
    """The paths that tasks name, found again in a tree."""

    def __init__(self, named: Iterable[Named] = (), *, root: str = "", tree: Collection[str] = ()) -> None:
        """`root` is the folder that paths may start from instead of the repository; `tree` holds all paths, before and after."""
        paths = frozenset(tree)
        folders = _folders(paths)
        by_name: dict[str, list[str]] = {}
        for path in sorted(paths):
            by_name.setdefault(path.rpartition("/")[2], []).append(path)
        self._files: dict[str, Named] = {}
        removed: set[str] = set()
        for one in named:
            bare = one.path.removeprefix("./").rstrip("/")
            if not bare:
                continue
            places = [bare, *([f"{root}/{bare}"] if root else [])]
            if not any(place in paths or place in folders for place in places):
                # A task of a sub-project names files from there, as the verdicts read it.
                places += [path for path in by_name.get(bare.rpartition("/")[2], ()) if path.endswith(f"/{bare}")]
            for place in places:
                self._files.setdefault(place, one)
            removed.update(places if one.removed else ())
        self._removed = frozenset(removed)

    def task_for(self, path: str, *, meant: Callable[[str], bool] | None = None) -> str:
        """Return the id of the task that asks to change just this file; empty where none does.

        A folder that is named asks for what is in it only if `meant` says so of such paths: "in src/" is no request for
        `src/.envrc`.
        """
        if path in self._files:
            return self._files[path].task
        if meant is None:
            return ""
        above = (self._files[folder] for folder in _above(path) if folder in self._files and meant(f"{folder}/x"))
        return next((one.task for one in above), "")

    def task_in(self, folder: str) -> str:
        """Return the id of the task that names the folder, or something in it; empty where none does."""
        inside = (one.task for place, one in self._files.items() if place == folder or place.startswith(f"{folder}/"))
        return next(inside, "")

    def removes(self, path: str) -> bool:
        """Return True if a task asks to delete this file, or a folder above it."""
        return any(place in self._removed for place in (path, *_above(path)))


def _above(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _folders(paths: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for path in paths:
        for folder in _above(path):
            if folder in found:
                break
            found.add(folder)
    return frozenset(found)
