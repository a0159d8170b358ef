"""What a change does to each path that a task names."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from moonmind.ports.vcs import Change
from moonmind.proof.substance import Kind, Substance, substance_of
from moonmind.speckit.wording import Asked

BUDGET = 16 * 1024 * 1024
"""Bytes of changed files that are looked into for one change; of what is beyond, only that it differs is known."""

MOST_READ = 500
"""Files that are looked into to find one that counts."""
_REGULAR = frozenset({"100644", "100755"})
_LINK = "120000"
_MOST_ALIKE = 20
"""Files of the same size that a new one is compared with."""
_CODE = frozenset(
    {*("py", "js", "jsx", "mjs", "cjs", "ts", "tsx", "go", "rs", "java", "kt", "rb", "php", "cs", "swift", "c", "cc", "cpp", "h"),
     *("scala", "ex", "exs", "dart", "lua", "sh", "vue", "svelte")}
)  # fmt: skip


class State(Enum):
    """What became of a target."""

    DONE = auto()
    THERE = auto()
    """It was there before and is as it was."""
    UNCHANGED = auto()
    """Nothing in it changed that counts."""
    MISSING = auto()
    DESTROYED = auto()


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of a target, and why it is judged so."""

    state: State
    words: str
    paths: tuple[str, ...] = ()
    """The changed paths that count."""
    added: frozenset[str] = frozenset()
    """Names in the lines added to them."""


class Paths:
    """A tree's paths, to be found by name, by folder and by tail without looking at all of them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.all = frozenset(paths)
        self._sorted = sorted(self.all)
        self._by_part: dict[str, list[str]] = {}
        for path in self._sorted:
            for part in dict.fromkeys(path.split("/")):
                self._by_part.setdefault(part, []).append(path)

    def exact(self, name: str) -> tuple[str, ...]:
        """Find the file of that path, else what lies in the folder of that path."""
        bare = name.rstrip("/")
        if bare in self.all:
            return (bare,)
        begin = bisect_left(self._sorted, f"{bare}/")
        end = bisect_left(self._sorted, f"{bare}0", lo=begin)  # "0" follows "/"
        return tuple(self._sorted[begin:end])

    def tail(self, name: str) -> tuple[str, ...]:
        """Find the files that end in the path, and those in folders that do."""
        bare = name.rstrip("/")
        return tuple(path for path in self._by_part.get(bare.rpartition("/")[2], ()) if f"/{bare}/" in f"/{path}/")


@dataclass(frozen=True, slots=True)
class ChangedTree:
    """A tree before and after a change, and what the change of each path comes to."""

    before: Paths
    after: Paths
    changed: Mapping[str, Substance]
    """By path; deleted ones are not in it."""
    feature: str = ""
    """The feature's folder."""

    def has(self, name: str) -> bool:
        """Return True if the name stands for something that is there afterwards."""
        return bool(self.find(name, self.after)) or self.is_reference(name)

    def lost(self, name: str) -> bool:
        """Return True if the name stood for something before, and for nothing afterwards."""
        return bool(self.before.exact(name)) and not self.after.exact(name)

    def is_reference(self, name: str) -> bool:
        """Return True if a name means a file of the feature's own folder."""
        inside = f"{self.feature}/{name}"
        return bool(self.feature) and not self._exact(name) and bool(self._exact(inside))

    def find(self, name: str, paths: Paths) -> tuple[str, ...]:
        """Find the paths that a name stands for: the file, what lies in the folder, else the same tail further down."""
        # A task of a sub-project names files from there; the tail counts only where the root holds no such path.
        return paths.exact(name) if self._exact(name) else paths.tail(name)

    def gone(self, name: str) -> tuple[str, ...]:
        """Find the deleted paths that a name stands for."""
        return tuple(path for path in self.find(name, self.before) if path not in self.after.all)

    def _exact(self, name: str) -> bool:
        return bool(self.before.exact(name) or self.after.exact(name))


def changed_tree(
    changes: Collection[Change],
    sizes: Mapping[str, int],
    feature: str,
    names: Iterable[str],
    read: Callable[[bool, str], bytes | None],
) -> ChangedTree:
    """Look into the changed files that the names stand for; `read(after, path)` returns a file's content, None if
    it is too large to look into.

    `sizes` are the bytes of all files after the change.
    """
    added = {change.path for change in changes if change.status == "A"}
    deleted = {change.path for change in changes if change.status == "D"}
    kept = {change.path: change for change in changes if change.status != "D"}
    places = Paths(kept)
    wanted = {path for name in names for path in places.tail(name)}
    found: dict[str, Substance] = {path: Substance(Kind.COUNTS) for path in kept}
    left = BUDGET
    for path in sorted(wanted, key=lambda path: (sizes.get(path, 0), path)):
        left -= sizes.get(path, 0)
        if left < 0:
            break
        found[path] = _substance(kept[path], read)
        if path in added and found[path].kind is Kind.COUNTS and _is_copy(path, sizes, changes, read):
            found[path] = Substance(Kind.COPY)
    return ChangedTree(Paths((sizes.keys() - added) | deleted), Paths(sizes), found, feature)


def counts_anywhere(
    changes: Iterable[Change], sizes: Mapping[str, int], read: Callable[[bool, str], bytes | None]
) -> bool:
    """Return True if any of the changes counts as one whatever a task asks for; what is removed does not.

    `sizes` are the bytes of all files after the change. Files are looked into up to `BUDGET` and
    `MOST_READ`; beyond these they count.
    """
    left = BUDGET
    kept = [change for change in changes if change.status != "D"]
    by_size = sorted(kept, key=lambda change: (sizes.get(change.path, 0), change.path))
    for looked, change in enumerate(by_size):
        left -= sizes.get(change.path, 0)
        if left < 0 or looked >= MOST_READ or _substance(change, read).counts(()):
            return True
    return False


def _substance(change: Change, read: Callable[[bool, str], bytes | None]) -> Substance:
    if change.new_mode == _LINK and change.old_mode != _LINK:
        return Substance(Kind.LINK)
    if change.new_mode not in _REGULAR:
        return Substance(Kind.COUNTS)
    was_there = change.status != "A" and change.old_mode in _REGULAR
    after = read(True, change.path)
    before = read(False, change.path) if was_there else None
    if after is None or (was_there and before is None):
        return Substance(Kind.COUNTS)
    if before == after and change.old_mode != change.new_mode:
        return Substance(Kind.MODE)
    return substance_of(change.path, before, after)


def _is_copy(
    path: str, sizes: Mapping[str, int], changes: Collection[Change], read: Callable[[bool, str], bytes | None]
) -> bool:
    """Return True for new code that was there before under another name.

    The same name in another folder is what packages of one repository often have in common.
    """
    name, ending = path.rpartition("/")[2], path.rpartition(".")[2]
    size = sizes.get(path, 0)
    if ending.casefold() not in _CODE or not size:
        return False
    changed = {change.path: change.status for change in changes}
    others = [(True, other) for other, count in sizes.items() if count == size and other not in changed]
    others += [(False, other) for other, status in changed.items() if status == "D"]
    alike = [one for one in others if one[1].endswith(f".{ending}") and one[1].rpartition("/")[2] != name]
    content = read(True, path) if alike else None
    return content is not None and any(read(*other) == content for other in alike[:_MOST_ALIKE])


def effect_of(
    name: str, tree: ChangedTree, asked: Collection[Asked], places: Collection[str], *, may_go: bool, must_go: bool
) -> Effect:
    """Return what became of one target; `places` are folders that its task names."""
    changed = _changed(name, tree, places)
    after, gone = tree.find(name, tree.after), tree.gone(name)
    if must_go:
        if after:
            return Effect(State.UNCHANGED, "still there")
        return Effect(State.DONE, "deleted", gone) if gone else Effect(State.THERE, "not there before either")
    counting = tuple(path for path, substance in changed.items() if substance.counts(asked))
    if counting:
        names = frozenset[str]().union(*(changed[path].added for path in counting))
        return Effect(State.DONE, "changed", counting, names)
    if gone and (may_go or not after):
        return Effect(State.DONE, "deleted", gone) if may_go else Effect(State.DESTROYED, "deleted")
    kinds = [substance.kind for substance in changed.values()]
    if emptied := [kind for kind in kinds if kind in {Kind.EMPTIED, Kind.GUTTED}]:
        words = str(emptied[0])
        return Effect(State.DONE, words, tuple(changed)) if may_go else Effect(State.DESTROYED, words)
    if kinds:
        return Effect(State.UNCHANGED, str(kinds[0]))
    if after:
        return Effect(State.THERE, "unchanged")
    return Effect(State.MISSING, "missing")


def _changed(name: str, tree: ChangedTree, places: Collection[str]) -> dict[str, Substance]:
    found = [path for path in tree.find(name, tree.after) if path in tree.changed]
    if not found and "/" not in name:
        # "`config.py` in `src/core/`", where the root has a file of that name too.
        below = [f"/{place.rstrip('/')}/" for place in places]
        found = [
            path
            for path in tree.after.tail(name)
            if path in tree.changed and any(place in f"/{path}" for place in below)
        ]
    return {path: tree.changed[path] for path in found}
