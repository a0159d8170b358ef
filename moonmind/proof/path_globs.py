"""Patterns of paths, as `.moonmind.yml` and workspaces of packages write them: `*` within a name, `**` for any folders."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate

from moonmind.errors import RecipeUnreadable

MOST_STEPS = 3_000_000
"""Comparisons of a folder's name with a part of a pattern: some seconds, and more than honest patterns and trees need."""

_State = tuple[int, int]
"""Which pattern, and how many of its names are used up."""


@dataclass(frozen=True, slots=True)
class _LastNames:
    """What the name of a file may be, in folders where the patterns have come equally far."""

    every: bool
    written: frozenset[str]
    patterns: re.Pattern[str] | None

    def hold(self, name: str) -> bool:
        if self.every or name in self.written:
            return True
        return self.patterns is not None and self.patterns.match(name) is not None


class PathPatterns:
    """Several patterns at once. How far each has come is known by folder, so that a large tree is read in one go."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_names(pattern) for pattern in patterns]
        self._folders = {"": self._closed((which, 0) for which in range(len(self._patterns)))}
        self._last: dict[frozenset[_State], _LastNames] = {}
        self._steps = 0

    def match(self, path: str) -> bool:
        """Return True if the whole path fits one of the patterns; `**` stands for any number of folders, none
        included, and at the end for all that is below.

        Raises RecipeUnreadable where patterns and tree are made so that this would take very long.
        """
        folder, _, name = path.rpartition("/")
        states = self._after(folder)
        if states not in self._last:
            self._last[states] = self._last_names(states)
        return self._last[states].hold(name)

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

    def _step(self, states: frozenset[_State], name: str) -> frozenset[_State]:
        self._count(states)
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

    def _count(self, states: frozenset[_State]) -> None:
        self._steps += len(states)
        if self._steps > MOST_STEPS:
            raise RecipeUnreadable(
                "The patterns of paths take too long to compare with this tree.",
                remediation="Name the files with fewer patterns, and fewer `**` in them.",
            )

    def _closed(self, states: Iterable[_State]) -> frozenset[_State]:
        """Add what is reached when a `**` stands for no further folder."""
        found = set(states)
        for which, at in tuple(found):
            if self._patterns[which][at : at + 1] == ("**",):
                found.add((which, at + 1))
        return frozenset(found)

    def _last_names(self, states: frozenset[_State]) -> _LastNames:
        self._count(states)
        ends = {self._patterns[which][at] for which, at in states if at == len(self._patterns[which]) - 1}
        patterns = sorted(end for end in ends if re.search(r"[*?\[]", end))
        return _LastNames(
            "**" in ends,
            frozenset(ends) - set(patterns),
            re.compile("|".join(map(translate, patterns))) if patterns else None,
        )


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
