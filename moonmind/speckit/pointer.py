"""Spec Kit's own pointer to the current feature, `.specify/feature.json`, as any system writes it."""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from moonmind.speckit.feature import Feature, closeness, document_order, written_path
from moonmind.speckit.features import is_copy

FEATURE_JSON = ".specify/feature.json"
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
_UP = re.compile(r"^(?:\.\./)+")
"""What leads out of `.specify`, where the pointer stands."""
_DOCUMENT = re.compile(r"/[^/]+\.md$", re.IGNORECASE)
_LONGEST = 4096
MOST = 50
"""Pointers that are read of one tree: each is a file to fetch."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """What one pointer says."""

    place: str
    """Path of the pointer."""
    named: str
    """The folder as it stands there."""
    feature: Feature | None
    folder: str | None = None
    """The folder of the tree that is named, where it holds no tasks.md."""


def pointers_in(paths: Iterable[str], features: Iterable[Feature]) -> dict[str, str]:
    """Map the roots of the projects in a tree that have a pointer to the pointers' paths, the repository's first.

    Those of copies are left out, but for projects of features. There are at most `MOST`.
    """
    ends = f"/{FEATURE_JSON}"
    projects = {"", *(feature.root for feature in features)}
    found = {path.removesuffix(FEATURE_JSON).rstrip("/"): path for path in paths if f"/{path}".endswith(ends)}
    roots = [root for root in sorted(found) if root in projects or not is_copy(root)]
    return {root: found[root] for root in roots[:MOST]}


def with_named(
    surveyed: tuple[tuple[Feature, ...], tuple[Feature, ...]],
    paths: Iterable[str],
    read: Callable[[str], str | None],
    names: Iterable[str],
) -> tuple[Feature, ...]:
    """Return the features of a survey with those set aside that a pointer names, or that one of the names fits best.

    `read` returns the text of a pointer at a path.
    """
    found, aside = surveyed
    if not aside:
        return found
    every = (*found, *aside)
    meant: set[str] = set()
    for root, place in pointers_in(paths, found).items():
        named = read_pointer(read(place) or "")
        feature = _feature(named, root, every) if named else None
        meant.update([feature.path] if feature else [])
    for name in names:
        ranks = {one: rank for one in every if (rank := closeness(one, name)) is not None}
        closest = min(ranks.values(), default=None)
        best = {one.path for one, rank in ranks.items() if rank == closest}
        if best.isdisjoint(one.path for one in found):
            meant |= best
    return tuple(sorted((*found, *(one for one in aside if one.path in meant)), key=document_order))


def names_of(branch: str | None) -> tuple[str, ...]:
    """Return what of a branch's name may be a feature's: all of it, and its last part."""
    name = (branch or "").removeprefix("refs/heads/")
    return tuple(dict.fromkeys((name, name.rpartition("/")[2])))


def read_pointer(text: str) -> str | None:
    """Return the folder that a pointer names; None where it cannot be read."""
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    named = content.get("feature_directory") if isinstance(content, dict) else None
    return named if isinstance(named, str) and named.strip() and len(named) <= _LONGEST else None


def follow(
    texts: Mapping[str, str], places: Mapping[str, str], features: Sequence[Feature], paths: Iterable[str]
) -> tuple[tuple[Pointed, ...], tuple[str, ...]]:
    """Find what the pointers of a tree name, by their projects' roots, and list those that cannot be read."""
    found: list[Pointed] = []
    unread: list[str] = []
    ordered = sorted(paths) if texts else []
    for root, text in texts.items():
        named = read_pointer(text)
        if named is None:
            unread.append(places[root])
            continue
        feature = _feature(named, root, features)
        found.append(Pointed(places[root], named, feature, None if feature else _folder(named, root, ordered)))
    return tuple(found), tuple(unread)


def _feature(named: str, root: str, features: Sequence[Feature]) -> Feature | None:
    """Find the one feature that a pointer of a project names: its own project's first, then by the longest path."""
    for fold in (False, True):
        asked, below = _spelled(named, fold), _spelled(root, fold)
        paths = {feature: _spelled(feature.path, fold) for feature in features}
        for wanted in (f"{below}/{asked}" if below else asked, asked):
            if found := [feature for feature, path in paths.items() if path == wanted]:
                return found[0] if len(found) == 1 else None
        if _is_absolute(named) and (ends := [one for one, path in paths.items() if f"/{asked}".endswith(f"/{path}")]):
            return max(ends, key=lambda one: len(one.path))
        keys = [feature for feature in features if _spelled(feature.key, fold) == asked.removeprefix("specs/")]
        if len(keys) == 1:
            return keys[0]
    return None


def _folder(named: str, root: str, ordered: Sequence[str]) -> str | None:
    asked = _spelled(named, False)
    wanted = [f"{root}/{asked}" if root else asked, asked]
    return next((folder for folder in wanted if _holds(ordered, f"{folder}/")), None)


def _holds(ordered: Sequence[str], beginning: str) -> bool:
    """Return True if any of the sorted paths begins so."""
    place = bisect_left(ordered, beginning)
    return place < len(ordered) and ordered[place].startswith(beginning)


def _spelled(path: str, fold: bool) -> str:
    plain = _UP.sub("", _DOCUMENT.sub("", written_path(_DRIVE.sub("", path.strip()))))
    return plain.casefold() if fold else plain


def _is_absolute(named: str) -> bool:
    text = named.strip()
    return text.startswith(("/", "\\")) or _DRIVE.match(text) is not None
