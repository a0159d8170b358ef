"""Gathers what discover chooses from: the features of the repository, and where work on each would start."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from moonmind.engine.stage_context import StageContext
from moonmind.errors import FeatureMissing, SpecUnreadable
from moonmind.ports.forge import PullState
from moonmind.runs import naming
from moonmind.runs.kinds import TICKS
from moonmind.speckit.answer import Answer, AnswerKind, Candidate, Repository, answer
from moonmind.speckit.feature import TASKS
from moonmind.speckit.features import Feature, matches, refuse_shared_key
from moonmind.speckit.pointer import pointers_in
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.work import Division
from moonmind.stages.discover.feature_branches import FeatureBranches
from moonmind.stages.discover.remembered_files import read_remembered
from moonmind.stages.discover.snapshot import Snapshot

LINK = "120000"
"""Git's mode of a symbolic link."""
MOST_FACTS = 20
"""Candidates of a question whose history is looked at, which takes git a while for each."""


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
        """Return what to do next, and the base branch that holds the tasks.md of it.

        The default branch goes first; a branch that is named as a feature and holds it is asked only when the default
        branch does not have what is wanted. One that cannot be read stands in no other's way.

        Raises FeatureUnclear and InvalidRequest; every other refusal is an answer.
        """
        requested = self.chosen or self.context.run.requested_key
        base = self.snapshot.repository.default_branch
        refuse_shared_key(self.snapshot.features(base), requested)
        first = self._choose_on(base, self.snapshot.features(base), requested)
        if not isinstance(first.error, FeatureMissing):
            return first, base
        unreadable: tuple[Answer, str] | None = None
        for branch in self._feature_branches(requested):
            named = [one for one in self.snapshot.features(branch) if _is_named(one, branch)]
            refuse_shared_key(named, requested)
            if found := [one for one in named if not requested or matches(one, requested)]:
                given = self._choose_on(branch, tuple(found), requested)
                if isinstance(given.error, SpecUnreadable):
                    unreadable = unreadable or (given, branch)
                elif given.kind is not AnswerKind.NOTHING_LEFT or given.feature is not None:
                    return given, branch
        return unreadable or (first, base)

    def facts_of(self, found: Answer, base: str) -> Answer:
        """Add to the candidates of a question when their folders were changed last, and their open pull requests.

        Of a long list the first ones get them, and a note says so.
        """
        features = {feature.path: feature for feature in self.snapshot.features(base)}
        looked_at, others = found.candidates[:MOST_FACTS], found.candidates[MOST_FACTS:]
        told = tuple(self._with_facts(one, features[one.feature], base) for one in looked_at)
        left = (
            f"of {len(found.candidates)} candidates, the last change and the pull request of the first {MOST_FACTS} are shown",
        )
        return replace(found, candidates=(*told, *others), notes=(*found.notes, *(left if others else ())))

    def _with_facts(self, candidate: Candidate, feature: Feature, base: str) -> Candidate:
        self.context.lease.check()
        commit, going_on = self._commit_of(feature, base), self._branches_of(base).going_on(feature)
        changed = self.context.vcs.changed_at(self.snapshot.name, commit, feature.path)
        pulls = self._branches_of(base).pulls_of(going_on[0]) if going_on is not None else ()
        opened = next((pull.url for pull in pulls if pull.state is PullState.OPEN), None)
        return replace(candidate, changed_at=None if changed is None else changed.isoformat(), pull_request=opened)

    def with_branches(self, found: Answer, base: str) -> Answer:
        """Add to an answer without work on which open branches it is done: a person looks at the base, where it is not."""
        features = (found.feature,) if found.feature is not None else self.snapshot.features(base)
        branches = self._branches_of(base)
        return replace(
            found, reasons=(*found.reasons, *filter(None, (_unmerged(one, branches, base) for one in features)))
        )

    def _commit_of(self, feature: Feature, base: str) -> str:
        """Return the commit where work on a feature would start; which name a new branch would get is left open."""
        going_on = self._branches_of(base).going_on(feature)
        return (going_on[1].tip if going_on is not None else None) or self.snapshot.branches[base]

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
        most = None if self.context.run.kind == TICKS else self.context.phase_tasks
        # What was asked for decides; the others' state plays no part.
        asked = [feature for feature in features if not requested or matches(feature, requested)]
        commits = {feature.path: self._commit_of(feature, base) for feature in asked}
        tip = self.snapshot.branches[base]
        paths = tuple(self.snapshot.tree(tip))
        pointers = {} if requested else pointers_in(paths, features)
        beside = [feature for feature in self.snapshot.features(base) if feature.path not in commits]
        self.snapshot.read_ahead(
            (
                *((commits[feature.path], feature.tasks_path) for feature in asked),
                *((tip, feature.tasks_path) for feature in beside),
                *((tip, path) for path in pointers.values()),
            )
        )
        files: dict[str, TasksFile] = {}
        unreadable: dict[str, SpecUnreadable] = {}
        for feature in asked:
            try:
                data = self.snapshot.read(commits[feature.path], feature.tasks_path)
                if data is None:
                    raise self._no_file(feature, base)
                files[feature.path] = read_remembered(data, name=feature.tasks_path)
            except SpecUnreadable as error:
                unreadable[feature.path] = error
        repository = Repository(
            features,
            files,
            paths,
            unreadable,
            pointers={root: self.snapshot.text(tip, path) for root, path in pointers.items()},
            beside=self._readable(beside, tip),
            branch=None if base == self.snapshot.repository.default_branch else base,
            trees=lambda feature: (
                paths if (commit := self._commit_of(feature, base)) == tip else self.snapshot.tree(commit)
            ),
        )
        return answer(
            repository,
            requested=requested,
            selection=self.selection,
            chosen=self.chosen,
            division=None if most is None else Division(most, "MOONMIND_PHASE_TASKS"),
        )

    def _readable(self, features: Iterable[Feature], tip: str) -> tuple[tuple[Feature, TasksFile], ...]:
        """Read features that nobody asked for; what cannot be read refuses nobody."""
        found: list[tuple[Feature, TasksFile]] = []
        for feature in features:
            with suppress(SpecUnreadable):
                if (data := self.snapshot.read(tip, feature.tasks_path)) is not None:
                    found.append((feature, read_remembered(data, name=feature.tasks_path)))
        return tuple(found)

    def _no_file(self, feature: Feature, base: str) -> SpecUnreadable:
        going_on, path = self._branches_of(base).going_on(feature), feature.tasks_path
        where = base if going_on is None else going_on[0]
        found = self.snapshot.tree(self._commit_of(feature, base)).get(path)
        if found is None:
            return SpecUnreadable(f"{path} is missing on {where}.")
        kind = "a symbolic link" if found.mode == LINK else "not a file"
        return SpecUnreadable(
            f"{path} is {kind} on {where}.",
            remediation="Put the file itself in its place: MoonMind ticks boxes in it. Push, and start a new run.",
        )

    def _feature_branches(self, requested: str) -> list[str]:
        """List the branches that may be named as a feature; those named as the request come first."""
        default = self.snapshot.repository.default_branch
        tips = {
            name: tip
            for name, tip in self.snapshot.branches.items()
            if name != default and not name.startswith(naming.BRANCH_PREFIX)
        }
        held = self.snapshot.holding([(tip, path) for name, tip in tips.items() for path in _own_places(name)])
        holds = [name for name, tip in tips.items() if any((tip, path) in held for path in _own_places(name))]
        return sorted(holds, key=lambda name: (name != requested, name))


def _own_places(branch: str) -> tuple[str, ...]:
    """Return where a branch that is named as a feature holds its tasks.md."""
    return tuple(f"specs/{name}/{TASKS}" for name in dict.fromkeys((branch, branch.rpartition("/")[2])))


def _is_named(feature: Feature, branch: str) -> bool:
    return feature.key in {branch, branch.rpartition("/")[2]}


def _unmerged(feature: Feature, branches: FeatureBranches, base: str) -> str | None:
    """Return, in words, the open branch that holds a feature's work, and its pull request; None where there is none."""
    if (going_on := branches.going_on(feature)) is None:
        return None
    name, choice = going_on
    opened = next((pull.url for pull in branches.pulls_of(name) if pull.state is PullState.OPEN), None)
    return f"{feature.path} is read from {name}, which is not merged into {base}: {choice.reason}{f', {opened}' if opened else ''}"
