"""The branch rule: on which branch a run goes on, decided from facts alone."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from moonmind.ports.forge import PullState
from moonmind.runs import naming
from moonmind.speckit.feature import Feature

HIGHEST = 1000
"""A higher number was not given by MoonMind but by a person, and says nothing about the feature."""


@dataclass(frozen=True, slots=True)
class BranchFact:
    """What is known of the n-th branch of a feature."""

    number: int
    tip: str | None
    """Its commit; None when the branch does not exist (any more)."""
    pulls: tuple[PullState, ...] = ()
    """The states of its pull requests, in any order."""
    ahead: bool = False
    """Whether it holds commits that the base lacks."""

    @property
    def used(self) -> bool:
        """Return True if the name was ever taken."""
        return self.tip is not None or bool(self.pulls)


@dataclass(frozen=True, slots=True)
class BranchChoice:
    """The branch a run works on. `tip` is None for a new branch, which starts at the base's tip."""

    number: int
    tip: str | None
    reason: str


def choose(facts: Iterable[BranchFact]) -> BranchChoice:
    """Go on with the newest branch that is still open, else begin the next one.

    Open is a branch with an open pull request, or with none yet and commits that the base lacks. A name that was ever
    used is never used again: its pull requests would be taken for the new branch's.
    """
    used = sorted((fact for fact in facts if fact.used), key=lambda fact: fact.number, reverse=True)
    for fact in used:
        if fact.tip is None:
            continue
        if PullState.OPEN in fact.pulls:
            return BranchChoice(fact.number, fact.tip, "its pull request is open")
        if not fact.pulls and fact.ahead:
            return BranchChoice(fact.number, fact.tip, "it holds commits without a pull request yet")
    if not used:
        return BranchChoice(1, None, "the feature's first branch")
    return BranchChoice(
        used[0].number + 1, None, "the branches before it are merged, closed, empty or another feature's"
    )


def slugs(features: Iterable[Feature]) -> dict[str, str]:
    """Map each feature's path to the slug of its branches, never two to one.

    It is made from the key where no other feature has that key, else from the path. Slugs are lower case, so that they
    stay apart where upper and lower case are the same.
    """
    known = {feature.path: feature for feature in features}
    by_key = {path: naming.feature_slug(feature.key) for path, feature in known.items()}
    short = {path: naming.path_slug(path) for path in known}
    alike = {slug for slug, times in Counter(short.values()).items() if times > 1}
    by_path = {
        path: naming.path_slug(path, naming.LONG_DIGEST) if slug in alike else slug for path, slug in short.items()
    }
    count, taken = Counter(by_key.values()), set(by_path.values())
    return {path: slug if count[slug] == 1 and slug not in taken else by_path[path] for path, slug in by_key.items()}


def numbers(slug: str, branches: Iterable[str]) -> tuple[int, ...]:
    """List the numbers n for which the n-th branch of the slug is among these names, sorted; absurd ones are left out."""
    pattern = re.compile(re.escape(naming.branch(slug)) + r"(?:-([1-9]\d{0,3}))?")
    found = (pattern.fullmatch(name) for name in branches)
    return tuple(number for number in sorted({int(match[1] or 1) for match in found if match}) if number <= HIGHEST)
