"""Patterns of paths, as `.moonmind.yml` and workspaces of packages write them: `*` within a name, `**` for any folders."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_State = tuple[int, int]
"""Which pattern, and how many of its names are used up."""


class PathPatterns:
    """Several patterns at once. How far each has come is known by folder, so that a large tree is read in one go."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_names(pattern) for pattern in patterns]
        self._folders = {"": self._closed((which, 0) for which in range(len(self._patterns)))}

    def match(self, path: str) -> bool:
        """Return True if the whole path fits one of the patterns; `**` stands for any number of folders, none included."""
        folder, _, name = path.rpartition("/")
        return any(at == len(self._patterns[which]) for which, at in self._step(self._after(folder), name))

    def _after(self, folder: str) -> frozenset[_State]:
        waiting: list[tuple[str, str]] = []
        above = folder
        while above not in self._folders:
            upper, _, name = above.rpartition("/")
            waiting.append((above, name))
            above = upper
        states = self._folders[above]
        for place, name in reversed(waiting):
            states = self._folders[place] = self._step(states, name)
        return states

    def _step(self, states: Iterable[_State], name: str) -> frozenset[_State]:
        following = set()
        for which, at in states:
            pattern = self._patterns[which]
            if at == len(pattern):
                continue
            if pattern[at] == "**":
                following.add((which, at))
            elif fnmatchcase(name, pattern[at]):
                following.add((which, at + 1))
        return self._closed(following)

    def _closed(self, states: Iterable[_State]) -> frozenset[_State]:
        """Add what is reached when `**` stands for no further folder."""
        found = set(states)
        for which, first in tuple(found):
            for at, part in enumerate(self._patterns[which][first:], first):
                if part != "**":
                    break
                found.add((which, at + 1))
        return frozenset(found)


def _names(pattern: str) -> tuple[str, ...]:
    names = pattern.split("/")
    # `**/**` says nothing more than `**`, and would take longer.
    return tuple(name for at, name in enumerate(names) if name != "**" or at == 0 or names[at - 1] != "**")


def matches(pattern: str, path: str) -> bool:
    """Return True if the whole path fits the pattern."""
    return PathPatterns((pattern,)).match(path)


def literal(path: str) -> str:
    """Return the pattern that fits this path alone."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", path)
