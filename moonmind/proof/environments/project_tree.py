"""The folders of a repository that may hold projects, and their build files, read within bounds."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property

from moonmind.proof.recipe_rules import glob_problem, root_problem
from moonmind.speckit.features import is_copy
from moonmind.speckit.project_commands import LARGEST, FoundCommand, commands_in

Read = Callable[[str], bytes | None]
"""Returns the content of a file by its path in the tree; None where there is none, or it cannot be had."""

_DEEPEST = 8
"""Folders above a build file that is looked at."""
_MOST_FOLDERS = 20_000
_MOST_READ = 16 * 1024 * 1024
"""Bytes of all build files together."""
_HEAD = 4_096
MOST_PROJECTS = 100
"""Of one ecosystem: what comes after them is not looked at."""
_MADE = frozenset(
    {"bin", "bower_components", "build", "coverage", "dist", "env", "obj", "out", "site-packages", "target", "third-party",
     "third_party", "thirdparty", "venv"}
)  # fmt: skip
"""Folders of what programs made, or others wrote."""
_LOCKS_ABOVE = frozenset(
    {"bun.lock", "bun.lockb", "npm-shrinkwrap.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock"}
)
"""Files of the repository's root that count for commands below it."""
_LOOKED_INTO = frozenset({"script", "scripts", "bin", "spec", "test", "tests"})
"""Folders below a project whose files' names tell its commands."""


class ProjectTree:
    """Answers for one listing of paths."""

    def __init__(self, listing: Iterable[str], read: Read) -> None:
        self._read = read
        self._texts: dict[str, str] = {}
        self._commands: dict[str, tuple[FoundCommand, ...]] = {}
        self._left = _MOST_READ
        self.unreadable: dict[str, None] = {}
        """Paths of build files that could not be had, or are too large."""
        self.names: dict[str, set[str]] = {"": set()}
        """The names of the files in each folder; the root is `""`."""
        self._others: set[str] = set()
        """Folders of repositories within this one."""
        for path in listing:
            folder, _, name = path.rpartition("/")
            if name == ".git" and folder:
                self._others.add(folder)
            if name and folder.count("/") < _DEEPEST:
                self.names.setdefault(folder, set()).add(name)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Return the folders that may hold projects, the upper ones first."""
        return tuple(folder for folder in self._sorted if not self.set_aside(folder))[:_MOST_FOLDERS]

    @cached_property
    def _sorted(self) -> tuple[str, ...]:
        allowed = (folder for folder in self.names if not folder or root_problem(folder) is None)
        return tuple(sorted(allowed, key=lambda folder: (folder.count("/") + bool(folder), folder)))

    def set_aside(self, folder: str) -> bool:
        """Return True if a folder holds examples, copies, what tests read, or what programs made."""
        if not folder:
            return False
        return self._in_another(folder) or is_copy(folder) or not _MADE.isdisjoint(folder.casefold().split("/"))

    def _in_another(self, folder: str) -> bool:
        while folder and self._others:
            if folder in self._others:
                return True
            folder = folder.rpartition("/")[0]
        return False

    def with_any(self, names: Collection[str]) -> Iterator[str]:
        """List the folders that hold a file of one of these names."""
        return (folder for folder in self.folders if not self.names[folder].isdisjoint(names))

    def left_out(self, names: Collection[str]) -> tuple[str, ...]:
        """List the folders with such files that were set aside; hidden ones and packages that others wrote do not count."""
        return tuple(
            folder
            for folder in self._sorted
            if self.set_aside(folder)
            and not self.names[folder].isdisjoint(names)
            and not any(part.startswith(".") or part in {"node_modules", "vendor"} for part in folder.split("/"))
        )

    def has(self, folder: str, *names: str) -> str | None:
        """Return the first of the names that the folder holds."""
        return next((name for name in names if name in self.names.get(folder, ())), None)

    def text(self, path: str) -> str:
        """Return a file's text; empty where it cannot be had or is too large, which `unreadable` then lists."""
        if path not in self._texts:
            data = self._read(path) if self._left > 0 else None
            self._left -= len(data or b"")
            if data is None or len(data) > LARGEST:
                self.unreadable[path] = None
                data = b""
            self._texts[path] = data.decode("utf-8", "replace")
        return self._texts[path]

    def text_in(self, folder: str, name: str) -> str:
        """Return the text of a file in a folder; empty where there is none."""
        return self.text(joined(folder, name)) if self.has(folder, name) else ""

    def head(self, path: str) -> str:
        """Return the beginning of a file of any size; empty where it cannot be had."""
        return (self._read(path) or b"")[:_HEAD].decode("utf-8", "replace")

    def commands(self, folder: str) -> tuple[FoundCommand, ...]:
        """Return the commands that the folder's build files show."""
        if folder not in self._commands:
            self._commands[folder] = self._commands_of(folder)
        return self._commands[folder]

    def _commands_of(self, folder: str) -> tuple[FoundCommand, ...]:
        listing = [joined(folder, name) for name in sorted(self.names[folder])]
        listing += [name for name in sorted(_LOCKS_ABOVE & self.names.get("", set())) if folder]
        for below in sorted(_LOOKED_INTO):
            inner = joined(folder, below)
            listing += [joined(inner, name) for name in sorted(self.names.get(inner, ()))]

        def read(path: str) -> bytes:
            return self.text(path).encode("utf-8", "replace")

        return tuple(one for one in commands_in(listing, [folder], read) if one.folder == folder)


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder; the root is `""`."""
    return f"{folder}/{name}" if folder else name


def relative(path: str, folder: str) -> str:
    """Return a path below a folder as it reads from there."""
    return path.removeprefix(f"{folder}/") if folder else path


def is_below(folder: str, above: str) -> bool:
    """Return True if a folder is another one, or below it."""
    return not above or folder == above or folder.startswith(f"{above}/")


def usable_patterns(given: object, most: int = 50) -> tuple[str, ...]:
    """Return those of a manifest's patterns of folders that stay in the repository; others are passed over."""
    if not isinstance(given, list | tuple):
        return ()
    texts = (one.removeprefix("./").rstrip("/") for one in given[:most] if isinstance(one, str))
    return tuple(dict.fromkeys(text for text in texts if text and text != "." and glob_problem(text) is None))
