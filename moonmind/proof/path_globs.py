"""Patterns of paths, as `.moonmind.yml` and workspaces of packages write them: `*` within a name, `**` for any folders."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(pattern: str, path: str) -> bool:
    """Return True if the whole path fits the pattern; `**` stands for any number of folders, none included."""
    return _fit(tuple(pattern.split("/")), tuple(path.split("/")))


def matches_any(patterns: Iterable[str], path: str) -> bool:
    """Return True if the path fits one of the patterns."""
    return any(matches(pattern, path) for pattern in patterns)


def literal(path: str) -> str:
    """Return the pattern that fits this path alone."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", path)


def _fit(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Compare name by name; what may follow each `**` is tried for all places at once, so that no pattern takes long."""
    places = {0}  # how many names of the path are used up, in each way that fits so far
    for part in pattern:
        if part == "**":
            places = set(range(min(places), len(path) + 1))
        else:
            places = {place + 1 for place in places if place < len(path) and fnmatchcase(path[place], part)}
        if not places:
            return False
    return len(path) in places
