"""What is to be done next in a repository: the work, or why it takes a person to say.

The order of evidence: what was asked for, `.specify/feature.json`, the branch, the only feature with open tasks. What is
left after these is a question, never a guess; and boxes that seem not to tell the truth are one too.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from moonmind.errors import FeatureMissing, FeatureUnclear, MoonMindError, SpecUnreadable
from moonmind.speckit.feature import TASKS, Feature, closeness, document_order, normalise_key
from moonmind.speckit.features import by_path, listed, lists_beside, without_tasks
from moonmind.speckit.people_tasks import who
from moonmind.speckit.pointer import follow, pointers_in
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import SpecTask, TasksFile
from moonmind.speckit.staleness import FEWEST, Seen, count, why_stale
from moonmind.speckit.tree import Tree
from moonmind.speckit.work import SHOWN_IDS, Division, NoWork, Work, divided, next_work

CHOOSE_FEATURE = "choose_feature"
STALE_BOXES = "stale_boxes"
CONTINUE = "continue"
"""The answer to STALE_BOXES that goes on with the feature as its boxes say."""

_BRANCH_PREFIX = re.compile(r"(\d{8}-\d{6}|\d{3,18})-", re.ASCII)
"""What of a branch's name is a feature's: Spec Kit below 0.10 looked its folder up by this."""


class AnswerKind(StrEnum):
    """How the question ends what to do next."""

    WORK = "work"
    """A phase of a feature, and tasks in it for an agent."""
    ASK = "ask"
    """A person has to choose."""
    PEOPLE_ONLY = "people_only"
    """What is open is not an agent's."""
    NOTHING_LEFT = "nothing_left"
    """Every task is done or set aside."""
    REFUSE = "refuse"
    """What was asked for is not there, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feature with open tasks, and what helps to choose among several."""

    feature: str
    """Its path."""
    total: int
    open: int
    named: int
    """Open tasks that name files to work on."""
    there: int
    """Those of which all files exist."""
    phase: str | None
    """The phase that would be taken up; None where nothing open is an agent's."""
    changed_at: str | None = None
    """When its folder was changed last, ISO 8601."""
    pull_request: str | None = None
    """Address of its open pull request."""

    def __str__(self) -> str:
        """Write its facts on one line."""
        facts = [f"{self.open} of {self.total} tasks open"]
        if self.named:
            facts.append(f"of the {self.named} that name files, {self.there} have them all there")
        facts.append(f"next: {self.phase}" if self.phase else "none of them is an agent's")
        if self.changed_at:
            facts.append(f"last changed {self.changed_at[:10]}")
        if self.pull_request:
            facts.append(f"pull request {self.pull_request}")
        return f"{self.feature}: {'; '.join(facts)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, with what led to it."""

    kind: AnswerKind
    feature: Feature | None = None
    work: Work | None = None
    reasons: tuple[str, ...] = ()
    """Why this: the first says why this feature, or why none."""
    notes: tuple[str, ...] = ()
    """What a person should know besides."""
    candidates: tuple[Candidate, ...] = ()
    asks: str | None = None
    """CHOOSE_FEATURE or STALE_BOXES where a person is asked."""
    left: tuple[SpecTask, ...] = ()
    """Open tasks of the feature that are not handed out, with their reasons."""
    error: MoonMindError | None = None
    """What to raise for a refusal."""

    @property
    def text(self) -> str:
        """Return in one paragraph why there is no work, or what is asked, without why it is this feature."""
        said = self.reasons[1:] if self.feature is not None and len(self.reasons) > 1 else self.reasons
        return " ".join(map(_sentence, said))


@dataclass(frozen=True, slots=True)
class Repository:
    """What is known of a repository's features when the question is put."""

    features: tuple[Feature, ...]
    files: Mapping[str, TasksFile]
    """By `Feature.path`, those that could be read."""
    paths: tuple[str, ...]
    """The tree's files."""
    unreadable: Mapping[str, SpecUnreadable] = field(default_factory=dict)
    pointers: Mapping[str, str] = field(default_factory=dict)
    """The texts of the files that `pointer.pointers_in` finds, by the roots of their projects."""
    branch: str | None = None
    trees: Callable[[Feature], Iterable[str]] | None = None
    """The files where work on a feature would start, if these are not `paths`."""
    beside: Sequence[tuple[Feature, TasksFile]] = ()
    """Features that are not asked about: all that counts is which files their ticked tasks name."""


def answer(
    repository: Repository,
    *,
    requested: str = "",
    selection: Selection = EVERYTHING,
    chosen: str | None = None,
    go_on: bool = False,
    division: Division | None = None,
) -> Answer:
    """Answer what to do next.

    `chosen` is the path of the feature that a person chose when asked; `go_on` says that a person knows that its boxes may
    be stale. A selection of phase or tasks says so, too. `division` limits how many tasks of a phase are handed out; tasks that are
    selected by their ids are not divided. Raises InvalidRequest for a selection that the feature's file
    does not hold; every other refusal is an answer.
    """
    known = tuple(sorted(repository.features, key=document_order))
    repository = replace(repository, features=known)
    if not known:
        return _refused(
            FeatureMissing("The repository has no feature: there is no specs/<feature>/tasks.md.", features=[]),
            repository,
        )
    asking = _Asking(repository, selection, division)
    if normalise_key(requested) and chosen is None:
        return asking.about(requested, "was requested", go_on=go_on)
    if chosen is not None:
        return asking.about(chosen, "was chosen by a person", go_on=True)
    return asking.choose(go_on)


def pointed_out(repository: Repository) -> tuple[Feature, str] | None:
    """Return the feature with open tasks that a pointer or the branch names, and why; None where they name none."""
    asking = _Asking(repository, EVERYTHING)
    feature, why = asking.evidence() or (None, "")
    return None if feature is None else (feature, why)


def _refused(error: MoonMindError, repository: Repository, notes: Sequence[str] = ()) -> Answer:
    without = without_tasks(repository.paths, repository.features)
    more = (f"{listed(without)} {_holds(without)} a spec.md and no tasks.md yet",) if without else ()
    return Answer(AnswerKind.REFUSE, reasons=(error.message,), notes=(*notes, *more), error=error)


class _Asking:
    """One question about one repository."""

    def __init__(self, repository: Repository, selection: Selection, division: Division | None = None) -> None:
        self._repository = repository
        self._selection = selection
        self._division = None if selection.lists_tasks else division
        self._found = {
            feature.path: next_work(feature, file)
            for feature in repository.features
            if (file := repository.files.get(feature.path)) is not None
        }
        self._with_work = [one for one in repository.features if isinstance(self._found.get(one.path), Work)]
        self._open = [
            one
            for one in repository.features
            if (file := repository.files.get(one.path)) is not None and file.next_phase is not None
        ]
        self._trees: dict[str, Tree] = {}
        self._notes: list[str] = []

    def about(self, requested: str, why: str, *, go_on: bool) -> Answer:
        """Answer about the feature that was named."""
        features = self._repository.features
        closest = _closest(features, requested)
        if not closest:
            error: MoonMindError = FeatureMissing(
                f"There is no feature {requested.strip()!r}. Features: {listed([one.path for one in features])}.",
                features=[one.path for one in features],
            )
            return self._refuse(error)
        if len(closest) > 1:
            return self._refuse(_unclear(closest, repr(requested.strip())))
        (feature,) = closest
        if (broken := self._repository.unreadable.get(feature.path)) is not None:
            return replace(self._refuse(broken), feature=feature)
        return self._work_on(feature, f"{feature.path} {why}", go_on)

    def choose(self, go_on: bool) -> Answer:
        """Answer about the feature that the evidence names."""
        self._note_unreadable()
        evidence = self.evidence()
        if evidence is not None:
            feature, why = evidence
            if feature is not None:
                return self._work_on(feature, why, go_on)
            return self._ask(why)
        if len(self._with_work) == 1:
            (feature,) = self._with_work
            others = len(self._open) - 1
            why = f"{feature.path} is the only feature with open tasks{' for an agent' if others else ''}"
            return self._work_on(feature, why, go_on)
        if self._with_work:
            return self._ask(
                f"{len(self._with_work)} features have open tasks, and nothing says which of them is meant"
            )
        return self._nothing()

    def _work_on(self, feature: Feature, why: str, go_on: bool) -> Answer:
        file = self._repository.files.get(feature.path)
        if file is None:
            return self._refuse(SpecUnreadable(f"{feature.tasks_path} was not read."))
        found = next_work(feature, file, self._selection)
        self._notes += file.warnings
        if isinstance(found, NoWork):
            kind = AnswerKind.PEOPLE_ONLY if found.left_for_people else AnswerKind.NOTHING_LEFT
            reasons = (why, found.reason, *who_does(found.left_for_people))
            return self._answer(kind, feature=feature, reasons=reasons, left=found.left_for_people)
        stale = why_stale(found.phase, found.tasks, feature, file, self._seen(feature))
        work = divided(found, self._division)
        reasons = (why, *work.passed_over, *filter(None, (work.part,)))
        made = self._answer(AnswerKind.WORK, feature=feature, work=work, reasons=reasons, left=work.left_for_people)
        if stale is None:
            counted = count([task for task in file.tasks if task.pending], feature, self._tree(feature))
            return replace(made, notes=(*made.notes, str(counted))) if counted.there >= FEWEST else made
        words = f"boxes may be stale: {stale}"
        if go_on or self._selection.names_tasks:
            return replace(made, notes=(*made.notes, words))
        return replace(
            made, kind=AnswerKind.ASK, asks=STALE_BOXES, reasons=(why, words), candidates=self._candidates(feature)
        )

    def _ask(self, why: str) -> Answer:
        return self._answer(AnswerKind.ASK, reasons=(why,), asks=CHOOSE_FEATURE, candidates=self._candidates())

    def _nothing(self) -> Answer:
        left = [one for one in self._open if isinstance(self._found[one.path], NoWork)]
        if left:
            founds = {one.path: found for one in left if isinstance(found := self._found[one.path], NoWork)}
            tasks = tuple(task for found in founds.values() for task in found.left_for_people)
            reasons = tuple(
                reason for found in founds.values() for reason in (found.reason, *who_does(found.left_for_people))
            )
            feature = left[0] if len(left) == 1 else None
            if feature is not None:
                reasons = (f"{feature.path} is the only feature with open tasks", *reasons)
            return self._answer(
                AnswerKind.PEOPLE_ONLY, feature=feature, reasons=reasons, left=tasks, candidates=self._candidates()
            )
        if (broken := next(iter(self._repository.unreadable.values()), None)) is not None:
            return self._refuse(broken)
        total = sum(file.total for file in self._repository.files.values())
        paths = [one.path for one in self._repository.features]
        return self._answer(
            AnswerKind.NOTHING_LEFT, reasons=(f"every task of {listed(paths)} is done ({total} tasks)",)
        )

    # --- evidence

    def evidence(self) -> tuple[Feature | None, str] | None:
        """Return the feature that a pointer or the branch names, or None with the reason where they name several."""
        return self._pointed() or self._branch()

    def _pointed(self) -> tuple[Feature | None, str] | None:
        """Return the feature that the projects' pointers name, or None with the reason where they name several."""
        places = pointers_in(self._repository.paths, self._repository.features)
        texts = {root: text for root, text in self._repository.pointers.items() if root in places}
        found, unread = follow(texts, places, self._repository.features, self._repository.paths)
        self._notes += [f"{place} cannot be read; it is passed over" for place in unread]
        meant: dict[str, tuple[Feature, str]] = {}
        for one in found:
            if one.feature is None:
                what = "which matches no feature"
                if one.folder:
                    left_out = f"{one.folder}/{TASKS}" in self._repository.paths
                    what = f"which {'is left out: its folder is called like one of copies' if left_out else f'has no {TASKS}'}"
                self._notes.append(f"{one.place} names {one.folder or one.named}, {what}")
            elif one.feature in self._with_work:
                meant.setdefault(one.feature.path, (one.feature, one.place))
            else:
                self._notes.append(f"{one.place} names {one.feature.path}, {self._state(one.feature)}")
        if not meant:
            return None
        feature, place = next(iter(meant.values()))
        if len(meant) > 1 and place != places.get(""):
            return None, f"{' and '.join(place for _, place in meant.values())} name different features with open tasks"
        return feature, f"{place} names {feature.path}, which has open tasks"

    def _branch(self) -> tuple[Feature | None, str] | None:
        branch = self._repository.branch
        if not branch:
            return None
        name = branch.removeprefix("refs/heads/")
        last = name.rpartition("/")[2]
        prefix = _BRANCH_PREFIX.match(last)
        for asked in (name, last, prefix[1] if prefix else ""):
            closest = _closest(self._with_work, asked) if asked else []
            if len(closest) == 1:
                return closest[0], f"the branch {branch} belongs to {closest[0].path}, which has open tasks"
            if closest:
                return (
                    None,
                    f"the branch {branch} fits {len(closest)} features: {listed([one.path for one in closest])}",
                )
        return None

    def _state(self, feature: Feature) -> str:
        if feature.path in self._repository.unreadable:
            return "whose tasks.md cannot be read"
        return "where nothing open is an agent's" if feature in self._open else "which has no open task"

    def _note_unreadable(self) -> None:
        broken = self._repository.unreadable
        self._notes += [f"{error.message} That feature is passed over" for error in broken.values()]

    # --- facts

    def _candidates(self, first: Feature | None = None) -> tuple[Candidate, ...]:
        """List the features with open tasks: those with work for an agent first, in order."""
        order = sorted(self._open, key=lambda one: (one != first, one not in self._with_work))
        return tuple(self._candidate(one) for one in order)

    def _candidate(self, feature: Feature) -> Candidate:
        file = self._repository.files[feature.path]
        pending = [task for task in file.tasks if task.pending]
        counted = count(pending, feature, self._tree(feature))
        found = self._found[feature.path]
        phase = found.phase.title if isinstance(found, Work) else None
        return Candidate(feature.path, file.total, counted.open, counted.named, counted.there, phase)

    def _tree(self, feature: Feature) -> Tree:
        trees = self._repository.trees
        paths = self._repository.paths if trees is None else trees(feature)
        key = "" if paths is self._repository.paths else feature.path
        if key not in self._trees:
            self._trees[key] = Tree(paths)
        return self._trees[key]

    def _seen(self, feature: Feature) -> Seen:
        files = self._repository.files
        read = [(one, files[one.path]) for one in self._repository.features if one.path in files]
        return Seen(self._tree(feature), [*read, *self._repository.beside])

    # --- ends

    def _refuse(self, error: MoonMindError) -> Answer:
        return _refused(error, self._repository, self._notes)

    def _answer(
        self,
        kind: AnswerKind,
        *,
        feature: Feature | None = None,
        work: Work | None = None,
        reasons: tuple[str, ...] = (),
        candidates: tuple[Candidate, ...] = (),
        asks: str | None = None,
        left: tuple[SpecTask, ...] = (),
    ) -> Answer:
        notes = list(self._notes)
        if without := without_tasks(self._repository.paths, self._repository.features):
            notes.append(f"{listed(without)} {_holds(without)} a spec.md and no tasks.md yet")
        if beside := lists_beside(self._repository.paths, self._repository.features):
            notes.append(f"only tasks.md is read, not {listed(beside)}")
        return Answer(kind, feature, work, reasons, tuple(dict.fromkeys(notes)), candidates, asks, left)


def unclear(found: Answer) -> FeatureUnclear:
    """Return the error that says what a person is asked, where nobody can be asked."""
    facts = "".join(f"\n  {candidate}" for candidate in found.candidates)
    remedy = (
        f"Say what to do with --phase or --task, or name another feature than {found.feature.path}."
        if found.feature is not None
        else None
    )
    return FeatureUnclear(
        f"{found.text}{facts}", remediation=remedy, features=[candidate.feature for candidate in found.candidates]
    )


def who_does(tasks: Sequence[SpecTask]) -> tuple[str, ...]:
    """Return for each task that no agent gets who does it, and by which words; a long list is cut and says so."""
    known = [(task.id, task.reasons[0]) for task in tasks if task.reasons]
    said = [f"{task_id}: {who(reason)} ({reason})" for task_id, reason in known[:SHOWN_IDS]]
    return (*said, *([f"and {len(known) - SHOWN_IDS} more"] if len(known) > SHOWN_IDS else ()))


def _closest(candidates: Sequence[Feature], asked: str) -> list[Feature]:
    """Return the features that a name fits best; several where it fits them alike."""
    ranks = {feature: rank for feature in candidates if (rank := closeness(feature, asked)) is not None}
    best = min(ranks.values(), default=None)
    return [feature for feature, rank in ranks.items() if rank == best]


def _unclear(candidates: Sequence[Feature], named: str) -> FeatureUnclear:
    return FeatureUnclear(
        f"{named} matches {len(candidates)} features equally: {listed([one.path for one in candidates])}.",
        remediation=by_path(candidates) if len({one.key for one in candidates}) < len(candidates) else None,
        features=[one.path for one in candidates],
    )


def _holds(folders: Sequence[str]) -> str:
    return "has" if len(folders) == 1 else "have"


def _sentence(text: str) -> str:
    # A path keeps its spelling, wherever it stands.
    first = text[:1] if "/" in text.partition(" ")[0] else text[:1].upper()
    return first + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
