"""One feature of a repository, and how people name it."""

import re
from dataclasses import dataclass

TASKS = "tasks.md"

_NUMBER = re.compile(r"(\d{8}-\d{6}|\d{1,18})(?=[-_.]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Feature:
    """A folder under `specs/` that holds a tasks.md."""

    key: str
    """The folder below `specs/`: `042-x`, or `feature/x` when the feature's branch had a slash."""
    path: str
    """The folder from the repository's root: `specs/042-x`; unique."""
    tasks_path: str
    spec_path: str | None = None
    plan_path: str | None = None
    root: str = ""
    """The folder of the project that the feature belongs to: `backend`; empty: the repository's root."""

    @property
    def folder(self) -> str:
        """Return the last part of the path: `x` of `specs/feature/x`."""
        return self.path.rpartition("/")[2]

    @property
    def number(self) -> int | None:
        """Return the number or the time stamp that the folder's name starts with."""
        found = _NUMBER.match(self.folder)
        return _as_int(found[1]) if found else None


def document_order(feature: Feature) -> tuple[bool, int, str]:
    """Sort by number, unnumbered last, then by path."""
    return feature.number is None, feature.number or 0, feature.path


def written_path(requested: str) -> str:
    """Return a request without what says nothing: space and `./` before, `/` and tasks.md behind; `\\` becomes `/`."""
    parts = [part for part in map(str.strip, requested.replace("\\", "/").split("/")) if part not in {"", "."}]
    while len(parts) > 1 and parts[-1] == TASKS:
        parts.pop()
    return "/".join(parts)


def short_path(path: str) -> str:
    """Return a feature's path without `specs`: `backend/001-a` for `backend/specs/001-a`."""
    return "/".join(part for part in path.split("/") if part != "specs")


def normalise_key(requested: str) -> str:
    """Bring the ways to write one feature's key to one: trimmed, no `specs/` before, no `/` or tasks.md behind."""
    parts = written_path(requested).split("/")
    while len(parts) > 1 and parts[0] == "specs":
        parts.pop(0)
    return "/".join(parts)


def matches(feature: Feature, requested: str) -> bool:
    """Return True if the request can mean this feature: `042`, `042-x` and `specs/042-x` all do."""
    return closeness(feature, requested) is not None


def closeness(feature: Feature, requested: str) -> int | None:
    """Rank how a request names a feature, 0 best: its path, its key, its folder, its number; None: not at all.

    A name in other letter case ranks behind all that are spelled right.
    """
    key = normalise_key(requested)
    if not key:
        return None
    written = written_path(requested)
    rank = _rank(feature.path, feature.key, feature.folder, written, key)
    if rank is not None:
        return rank
    number = _NUMBER.fullmatch(key)
    if number and feature.number == _as_int(number[1]):
        return 3
    loose = _rank(*(name.casefold() for name in (feature.path, feature.key, feature.folder, written, key)))
    return None if loose is None else 4 + loose


def _rank(path: str, key: str, folder: str, written: str, asked: str) -> int | None:
    if path in {written, asked, f"specs/{asked}"}:
        return 0
    if key == asked or short_path(path) == written:
        return 1
    return 2 if folder == asked else None


def may_be_one(one: str, other: str) -> bool:
    """Return True if two ways to name a feature, keys, numbers or paths, can mean the same; an empty one means none.

    Two paths are compared whole: features in two places are two, however their folders are called.
    """
    first, second = written_path(one), written_path(other)
    if not first or not second:
        return False
    return first == second or _can_mean(first, second) or _can_mean(second, first)


def _can_mean(asked: str, name: str) -> bool:
    """Return True if a request that is no path can mean the feature of this path, or of this other request."""
    if "specs" in asked.split("/")[:-1]:
        return False
    if asked in {short_path(name), name.rpartition("specs/")[2]}:
        return True
    folder = name.rpartition("/")[2]
    number, own = _NUMBER.fullmatch(asked), _NUMBER.match(folder)
    return asked == folder or bool(number and own and _as_int(number[1]) == _as_int(own[1]))


def _as_int(number: str) -> int:
    return int(number.replace("-", ""))
