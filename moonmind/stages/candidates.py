"""Gathers what discover chooses from: the features of the repository, and where work on each would start."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moonmind.engine.context import StageContext
from moonmind.errors import FeatureMissing, SpecUnreadable
from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Commit
from moonmind.runs import naming
from moonmind.speckit.feature import TASKS
from moonmind.speckit.features import Choice, Feature, choose_feature, find_features, matches
from moonmind.speckit.tasks import TasksFile
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.branches import BranchChoice, BranchFact, choose, numbers
from moonmind.stages.foreign_commits import MOST
from moonmind.stages.plain import storable

FEATURE_JSON = ".specify/feature.json"


@dataclass(frozen=True, slots=True)
class Start:
    """Where work on a feature starts: on its open branch, else at the tip of the base branch."""

    base: str
    commit: str
    branch: str
    branch_tip: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The repository as it was fetched."""

    repository: Repository
    branches: Mapping[str, str]
    """Names and commits."""

    @property
    def name(self) -> str:
        """Give `owner/name`, by which the mirror is found."""
        return self.repository.full_name


@dataclass(slots=True)
class Candidates:
    """Reads lazily and once: tasks.md of each feature at the commit where work on it would start."""

    context: StageContext
    snapshot: Snapshot
    _starts: dict[str, Start] = field(default_factory=dict)
    _listings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _histories: dict[tuple[str, str], tuple[Commit, ...]] = field(default_factory=dict)

    def choose(self) -> tuple[Choice, str]:
        """Choose the feature, and give the base branch that holds its tasks.md.

        The default branch goes first; a branch that is named as a feature and holds it is asked only when the default
        branch does not have what is wanted.
        """
        requested = self.context.run.requested_key
        base = self.snapshot.repository.default_branch
        try:
            return self._choose_on(base, self._features(base), requested), base
        except FeatureMissing:
            for branch in self._feature_branches(requested):
                named = [one for one in self._features(branch) if _is_named(one, branch)]
                if found := [one for one in named if not requested or matches(one, requested)]:
                    choice = self._choose_on(branch, tuple(found), requested)
                    if choice.feature is not None:
                        return choice, branch
            raise

    def start_of(self, feature: Feature, base: str) -> Start:
        """Find the branch that a run on this feature goes on with, and its starting commit."""
        if feature.path not in self._starts:
            found = self._branch(feature, base)
            name = naming.branch(feature.key, found.number)
            commit = found.tip or self.snapshot.branches[base]
            self._starts[feature.path] = Start(base, commit, name, found.tip, f"{name}: {found.reason}")
        return self._starts[feature.path]

    def listing(self, commit: str) -> tuple[str, ...]:
        """List the paths of a commit that can be written down."""
        if commit not in self._listings:
            files = self.context.vcs.listing(self.snapshot.name, commit)
            self._listings[commit] = tuple(file.path for file in files if storable(file.path) == file.path)
        return self._listings[commit]

    def history(self, tip: str, base: str) -> tuple[Commit, ...]:
        """List the commits on a branch that its base branch lacks, newest first, with the tasks.md they changed."""
        span = (tip, self.snapshot.branches[base])
        if span not in self._histories:
            self._histories[span] = self.context.vcs.history(self.snapshot.name, *span, files=TASKS, limit=MOST)
        return self._histories[span]

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file of a commit."""
        return self.context.vcs.read(self.snapshot.name, commit, path)

    def _features(self, branch: str) -> tuple[Feature, ...]:
        tip = self.snapshot.branches.get(branch)
        return find_features(self.listing(tip)) if tip else ()

    def _choose_on(self, base: str, features: tuple[Feature, ...], requested: str) -> Choice:
        files: dict[str, TasksFile] = {}
        unreadable: dict[str, SpecUnreadable] = {}
        for feature in features:
            if requested and not matches(feature, requested):
                continue  # what was asked for decides; the others' state plays no part
            try:
                data = self.read(self.start_of(feature, base).commit, feature.tasks_path)
                if data is None:
                    raise SpecUnreadable(f"{feature.tasks_path} is missing on {self.start_of(feature, base).branch}.")
                files[feature.path] = read_tasks(data, name=feature.tasks_path)
            except SpecUnreadable as error:
                unreadable[feature.path] = error
        pointer = self.read(self.snapshot.branches[base], FEATURE_JSON) if features else None
        return choose_feature(
            features,
            files,
            requested=requested,
            feature_json=pointer.decode("utf-8", "replace") if pointer else None,
            branch=None if base == self.snapshot.repository.default_branch else base,
            unreadable=unreadable,
        )

    def _feature_branches(self, requested: str) -> list[str]:
        """List the branches that may be named as a feature; those named as the request come first."""
        names = [name for name in self.snapshot.branches if not name.startswith(naming.BRANCH_PREFIX)]
        holds = [name for name in names if name != self.snapshot.repository.default_branch and self._holds_own(name)]
        return sorted(holds, key=lambda name: (name != requested, name))

    def _holds_own(self, branch: str) -> bool:
        tip = self.snapshot.branches[branch]
        names = dict.fromkeys((branch, branch.rpartition("/")[2]))
        return any(self.read(tip, f"specs/{name}/tasks.md") is not None for name in names)

    def _branch(self, feature: Feature, base: str) -> BranchChoice:
        """Ask for the state of the branches that exist, and of names that only a pull request may still know.

        A merged branch is often deleted: the names are gone through from the first one to the first that nobody used,
        and from the one that would come next. So the forge is asked about used names and two others at most.
        """
        facts = {
            number: self._fact(feature, base, number)
            for number in numbers(feature.key, self.snapshot.branches)
            if not self._is_others(feature, base, number)
        }
        number = 1
        while True:
            number = self._next_own(feature, base, number)
            if number not in facts:
                facts[number] = self._fact(feature, base, number)
            if facts[number].used:
                number += 1
                continue
            choice = choose(facts.values())
            if choice.tip is not None:
                return choice
            new = self._next_own(feature, base, choice.number)
            if new in facts:
                return BranchChoice(new, None, choice.reason)
            number = new

    def _fact(self, feature: Feature, base: str, number: int) -> BranchFact:
        self.context.lease.check()
        name = naming.branch(feature.key, number)
        tip = self.snapshot.branches.get(name)
        pulls = self.context.forge.pull_requests(self.snapshot.name, name)
        ahead = tip is not None and not self.context.vcs.is_ancestor(
            self.snapshot.name, tip, self.snapshot.branches[base]
        )
        return BranchFact(number, tip, tuple(pull.state for pull in pulls), ahead)

    def _is_others(self, feature: Feature, base: str, number: int) -> bool:
        """Tell whether the n-th name is the first name of another feature: `x-2` of `x` is that of a feature `x-2`."""
        name = naming.branch(feature.key, number)
        others = (one for one in self._features(base) if one.path != feature.path)
        return number > 1 and any(naming.branch(one.key) == name for one in others)

    def _next_own(self, feature: Feature, base: str, number: int) -> int:
        """Give the first number from this one on whose name is not another feature's."""
        while self._is_others(feature, base, number):
            number += 1
        return number


def _is_named(feature: Feature, branch: str) -> bool:
    return feature.key in {branch, branch.rpartition("/")[2]}
