"""Which branches are a feature's: by their names, and by the feature that their commits say they work on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from moonmind.engine.stage_context import StageContext
from moonmind.ports.forge import PullRequest, PullState
from moonmind.ports.vcs import Commit
from moonmind.runs import naming
from moonmind.speckit.feature import TASKS, Feature
from moonmind.stages.discover.branches import BranchChoice, BranchFact, choose, numbers, slugs
from moonmind.stages.discover.foreign_commits import run_of
from moonmind.stages.discover.snapshot import Snapshot
from moonmind.stages.kit.harmless_text import inert


@dataclass(slots=True)
class FeatureBranches:
    """Chooses the branch of each feature of one base.

    A feature is known by its path. Its branches have their names from its key, or from its path while another feature
    has the same key. A branch in flight may have either name, since features come and go; so a branch belongs to the
    features that its commits work on, and only one whose commits name none belongs to the feature of its name.
    """

    context: StageContext
    snapshot: Snapshot
    features: Sequence[Feature]
    """Of the base and of the default branch: names must be different among all of them."""
    base: str
    _slugs: dict[str, str] = field(init=False)
    _open: dict[str, tuple[str, BranchChoice] | None] = field(default_factory=dict)
    """By the features' paths."""
    _pulls: dict[str, tuple[PullRequest, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Return the slug of each feature."""
        self._slugs = slugs(self.features)

    def is_alone(self, feature: Feature) -> bool:
        """Return True if no other feature has this one's key."""
        return self._slugs[feature.path] == naming.feature_slug(feature.key)

    def choose(self, feature: Feature) -> tuple[str, BranchChoice]:
        """Return the name of the branch that work on the feature goes on with, and why."""
        return self.going_on(feature) or self._new(feature)

    def going_on(self, feature: Feature) -> tuple[str, BranchChoice] | None:
        """Return the branch of the feature that is still open; None where its next branch would be a new one.

        The forge is asked about branches that exist and hold commits that the base lacks, about each once.
        """
        if feature.path not in self._open:
            self._open[feature.path] = self._find_open(feature)
        return self._open[feature.path]

    def _find_open(self, feature: Feature) -> tuple[str, BranchChoice] | None:
        slug = self._slugs[feature.path]
        by_path = (naming.path_slug(feature.path, digits) for digits in (naming.SHORT_DIGEST, naming.LONG_DIGEST))
        for one in dict.fromkeys((slug, naming.feature_slug(feature.key), *by_path)):
            known = [number for number in numbers(one, self.snapshot.branches) if self._is_own(feature, one, number)]
            found = choose(self._fact(feature, one, number) for number in known)
            if found.tip is not None:
                return naming.branch(one, found.number), found
        return None

    def pulls_of(self, branch: str) -> tuple[PullRequest, ...]:
        """List the pull requests of a branch; the forge is asked once."""
        if branch not in self._pulls:
            self.context.lease.check()
            self._pulls[branch] = self.context.forge.pull_requests(self.snapshot.name, branch)
        return self._pulls[branch]

    def _new(self, feature: Feature) -> tuple[str, BranchChoice]:
        """Return the first name that was never used, also by a branch that only a pull request may still know.

        A merged branch is often deleted: the names are gone through from the first one to the first that nobody used,
        and from the one that would come next. So the forge is asked about used names and two others at most.
        """
        slug = self._slugs[feature.path]
        known = numbers(slug, self.snapshot.branches)
        facts = {n: self._fact(feature, slug, n) for n in known if not self._is_others(feature, slug, n)}
        number = 1
        while True:
            number = self._next_own(feature, slug, number)
            if number not in facts:
                facts[number] = self._fact(feature, slug, number)
            if facts[number].used:
                number += 1
                continue
            choice = choose(facts.values())
            new = self._next_own(feature, slug, choice.number)
            if new in facts:
                return naming.branch(slug, new), BranchChoice(new, None, choice.reason)
            number = new

    def _fact(self, feature: Feature, slug: str, number: int) -> BranchFact:
        name = naming.branch(slug, number)
        tip = self.snapshot.branches.get(name)
        if tip is None:
            return BranchFact(number, None, self._states(name))
        if not self._belongs(feature, slug, name) or not self.snapshot.history(tip, self.base):
            return BranchFact(number, tip)  # a name that is used, and nothing to go on with
        return BranchFact(number, tip, self._states(name), ahead=True)

    def _states(self, branch: str) -> tuple[PullState, ...]:
        return tuple(pull.state for pull in self.pulls_of(branch))

    def _is_own(self, feature: Feature, slug: str, number: int) -> bool:
        return slug != self._slugs[feature.path] or not self._is_others(feature, slug, number)

    def _belongs(self, feature: Feature, slug: str, branch: str) -> bool:
        if owners := self._owners(branch):
            return feature.path in owners
        # A name that was made from the path is the feature's own at any time.
        return slug == self._slugs[feature.path] or slug != naming.feature_slug(feature.key)

    def _owners(self, branch: str) -> frozenset[str]:
        tip = self.snapshot.branches.get(branch)
        return worked_on(self.snapshot.history(tip, self.base), self.features) if tip else frozenset()

    def _is_others(self, feature: Feature, slug: str, number: int) -> bool:
        """Return True if the n-th name is the first name of another feature: `x-2` of `x` is that of a feature `x-2`.

        A branch of that name that works on this feature was made before there was the other one.
        """
        name = naming.branch(slug, number)
        first = any(naming.branch(other) == name for path, other in self._slugs.items() if path != feature.path)
        return number > 1 and first and feature.path not in self._owners(name)

    def _next_own(self, feature: Feature, slug: str, number: int) -> int:
        """Return the first number from this one on whose name is not another feature's."""
        while self._is_others(feature, slug, number):
            number += 1
        return number


def worked_on(history: Sequence[Commit], features: Iterable[Feature]) -> frozenset[str]:
    """Return the paths of the features that the commits of a branch work on; none where they do not say.

    MoonMind's commits count where there are any: each names its feature, and ticks that feature's tasks.md. Else those
    of people do, by the tasks.md that they changed. What came by a merge does not count.
    """
    own = [commit for commit in _direct(history) if run_of(commit) is not None]
    named = {inert(feature.path): feature.path for feature in features}
    found: set[str] = set()
    for commit in own or _direct(history):
        if own and (words := commit.trailers.get("feature")):
            found.add(named.get(words, words))
        else:
            found.update(path.removesuffix(f"/{TASKS}") for path in commit.touched)
    return frozenset(found)


def _direct(history: Sequence[Commit]) -> list[Commit]:
    """List the commits from the tip along the first parents."""
    known = {commit.id: commit for commit in history}
    direct: list[Commit] = []
    commit = history[0] if history else None
    while commit is not None:
        direct.append(commit)
        commit = known.get(commit.parents[0]) if commit.parents else None
    return direct
