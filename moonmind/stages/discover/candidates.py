"""Gathers what discover chooses from: the features of the repository, and where work on each would start."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from moonmind.engine.stage_context import StageContext
from moonmind.errors import FeatureMissing, SpecUnreadable
from moonmind.ports.forge import PullState
from moonmind.runs import naming
from moonmind.speckit.answer import Answer, AnswerKind, Candidate, Repository, answer
from moonmind.speckit.features import Feature, matches, refuse_shared_key
from moonmind.speckit.pointer import pointers_in
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.discover.feature_branches import FeatureBranches
from moonmind.stages.discover.snapshot import Snapshot

LINK = "120000"
"""Git's mode of a symbolic link."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where work on a feature starts: on its open branch, else at the tip of the base branch."""

    base: str
    commit: str
    branch: str
    branch_tip: str | None
    reason: str
    called: str
    """The feature's name for people: its key, or its path where another feature has the same key."""


@dataclass(slots=True)
class Candidates:
    """Reads lazily and once: tasks.md of each feature at the commit where work on it would start."""

    context: StageContext
    snapshot: Snapshot
    selection: Selection = EVERYTHING
    chosen: str | None = None
    """The path of the feature that a person chose when asked."""
    _starts: dict[str, Start] = field(default_factory=dict)
    _branches: dict[str, FeatureBranches] = field(default_factory=dict)

    def choose(self) -> tuple[Answer, str]:
        """Answer what to do next, and give the base branch that holds the tasks.md of it.

        The default branch goes first; a branch that is named as a feature and holds it is asked only when the default
        branch does not have what is wanted. Raises what the answer refuses with.
        """
        requested = self.chosen or self.context.run.requested_key
        base = self.snapshot.repository.default_branch
        refuse_shared_key(self.snapshot.features(base), requested)
        try:
            return self._choose_on(base, self.snapshot.features(base), requested), base
        except FeatureMissing:
            for branch in self._feature_branches(requested):
                named = [one for one in self.snapshot.features(branch) if _is_named(one, branch)]
                refuse_shared_key(named, requested)
                if found := [one for one in named if not requested or matches(one, requested)]:
                    given = self._choose_on(branch, tuple(found), requested)
                    if given.kind is not AnswerKind.NOTHING_LEFT or given.feature is not None:
                        return given, branch
            raise

    def facts_of(self, candidates: Iterable[Candidate], base: str) -> tuple[Candidate, ...]:
        """Add to the candidates of a question when their folders were changed last, and their open pull requests."""
        features = {feature.path: feature for feature in self.snapshot.features(base)}
        return tuple(self._with_facts(one, features[one.feature], base) for one in candidates)

    def _with_facts(self, candidate: Candidate, feature: Feature, base: str) -> Candidate:
        self.context.lease.check()
        start = self.start_of(feature, base)
        changed = self.context.vcs.changed_at(self.snapshot.name, start.commit, feature.path)
        pulls = self.context.forge.pull_requests(self.snapshot.name, start.branch) if start.branch_tip else ()
        opened = next((pull.url for pull in pulls if pull.state is PullState.OPEN), None)
        return replace(candidate, changed_at=None if changed is None else changed.isoformat(), pull_request=opened)

    def start_of(self, feature: Feature, base: str) -> Start:
        """Find the branch that a run on this feature goes on with, and its starting commit."""
        if feature.path not in self._starts:
            branches = self._branches_of(base)
            name, found = branches.choose(feature)
            commit = found.tip or self.snapshot.branches[base]
            called = feature.key if branches.is_alone(feature) else feature.path
            self._starts[feature.path] = Start(base, commit, name, found.tip, f"{name}: {found.reason}", called)
        return self._starts[feature.path]

    def _branches_of(self, base: str) -> FeatureBranches:
        if base not in self._branches:
            both = (*self.snapshot.features(self.snapshot.repository.default_branch), *self.snapshot.features(base))
            known = {feature.path: feature for feature in both}
            self._branches[base] = FeatureBranches(self.context, self.snapshot, tuple(known.values()), base)
        return self._branches[base]

    def _choose_on(self, base: str, features: tuple[Feature, ...], requested: str) -> Answer:
        files: dict[str, TasksFile] = {}
        unreadable: dict[str, SpecUnreadable] = {}
        for feature in features:
            if requested and not matches(feature, requested):
                continue  # what was asked for decides; the others' state plays no part
            try:
                start = self.start_of(feature, base)
                data = self.snapshot.read(start.commit, feature.tasks_path)
                if data is None:
                    raise self._no_file(start, feature.tasks_path)
                files[feature.path] = read_tasks(data, name=feature.tasks_path)
            except SpecUnreadable as error:
                unreadable[feature.path] = error
        tip = self.snapshot.branches[base]
        paths = tuple(self.snapshot.tree(tip))
        repository = Repository(
            features,
            files,
            paths,
            unreadable,
            pointers={} if requested else self._pointers(tip, paths),
            beside=self._beside(base, {*files, *unreadable}),
            branch=None if base == self.snapshot.repository.default_branch else base,
            trees=lambda feature: (
                paths if (commit := self.start_of(feature, base).commit) == tip else self.snapshot.tree(commit)
            ),
        )
        found = answer(repository, requested=requested, selection=self.selection, chosen=self.chosen)
        if found.error is not None:
            raise found.error
        return found

    def _beside(self, base: str, read: Collection[str]) -> tuple[tuple[Feature, TasksFile], ...]:
        """Read the features on the base branch that nobody asked for; what cannot be read refuses nobody."""
        found: list[tuple[Feature, TasksFile]] = []
        for feature in self.snapshot.features(base):
            data = (
                None if feature.path in read else self.snapshot.read(self.snapshot.branches[base], feature.tasks_path)
            )
            if data is not None:
                with suppress(SpecUnreadable):
                    found.append((feature, read_tasks(data, name=feature.tasks_path)))
        return tuple(found)

    def _pointers(self, tip: str, paths: tuple[str, ...]) -> dict[str, str]:
        texts = {root: self.snapshot.read(tip, path) for root, path in pointers_in(paths).items()}
        return {root: text.decode("utf-8", "replace") for root, text in texts.items() if text is not None}

    def _no_file(self, start: Start, path: str) -> SpecUnreadable:
        where = start.base if start.branch_tip is None else start.branch
        found = self.snapshot.tree(start.commit).get(path)
        if found is None:
            return SpecUnreadable(f"{path} is missing on {where}.")
        kind = "a symbolic link" if found.mode == LINK else "not a file"
        return SpecUnreadable(
            f"{path} is {kind} on {where}.",
            remediation="Put the file itself in its place: MoonMind ticks boxes in it. Push, and start a new run.",
        )

    def _feature_branches(self, requested: str) -> list[str]:
        """List the branches that may be named as a feature; those named as the request come first."""
        names = [name for name in self.snapshot.branches if not name.startswith(naming.BRANCH_PREFIX)]
        holds = [name for name in names if name != self.snapshot.repository.default_branch and self._holds_own(name)]
        return sorted(holds, key=lambda name: (name != requested, name))

    def _holds_own(self, branch: str) -> bool:
        tip = self.snapshot.branches[branch]
        names = dict.fromkeys((branch, branch.rpartition("/")[2]))
        return any(self.snapshot.read(tip, f"specs/{name}/tasks.md") is not None for name in names)


def _is_named(feature: Feature, branch: str) -> bool:
    return feature.key in {branch, branch.rpartition("/")[2]}
