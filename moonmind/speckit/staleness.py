"""Whether open boxes tell the truth: a task that asks for a file which is there may be done already.

The rule, in words, is in docs/speckit.md. Only tasks that ask for something new count: a task that changes, moves or
removes something names a file that is there naturally. Nor does a file count that a ticked task of any feature names,
since that task accounts for it, or one that most repositories have from their first day.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from moonmind.speckit.change_verbs import ADDS, CHANGES, MAKES, english, spaced, unspaced
from moonmind.speckit.feature import Feature
from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.spec_tasks import LOOKED_AT, Mark, Phase, SpecTask, TasksFile
from moonmind.speckit.targets import DOCUMENTS, is_folder, split
from moonmind.speckit.tree import Tree

FEWEST = 3
"""Different files that have to be there before they say something about boxes."""
FEWEST_ADDED = 5
"""The same where "add" counts as well, which may mean a line in a file that is there."""
NEARLY_ALL = 0.8

_LABELS = lazy_pattern(r"^(?:\W{0,4}\[[\w &/-]{1,24}\])*\W*")
_CHANGES = lazy_pattern(
    rf"(?:{english(CHANGES)}|extend|modify|edit|change|register|wire|integrate|enhance|adapt|rename|move|remove|delete|drop|convert|migrate|enable"
    r"|disable|use|switch|bump|upgrade|mount|hook|connect|polish|mark|append|insert|export|expose|include|review|clean|simplify|split|merge|deprecate"
    rf"|apply|ensure|verify|check|validate|confirm|run|configure|install|document|audit|{spaced(CHANGES)})\b"
    rf"|{unspaced(CHANGES, languages={'Chinese'})}|验证|检查|配置",
    re.IGNORECASE,
)
_CHANGES_BEHIND = lazy_pattern(unspaced(CHANGES, languages={"Japanese", "Korean", "Turkish"}))
_MAKES = lazy_pattern(
    r"(?:^|[:;,.][ ]|[(（：]|[ ][—–-]{1,2}[ ])(?:(?:first|then|also|and)[ ])?(?:creat|implement|writ|scaffold|generat)(?:e|es|ing|s)?\b|^implementation[ ]of\b"
    r"|^(?:(?:contract|integration|unit|e2e|end-to-end|component|acceptance|smoke|performance|regression|snapshot|property|functional|widget"
    r"|service|api|ui|backend|frontend|failing)[ -]){1,3}tests?\b|^tests?[ ](?:for|of)\b"
    rf"|\b(?:{spaced(MAKES)})\b|{unspaced(MAKES)}|^[^，。；：\s]{{0,10}}测试(?=\W)",
    re.IGNORECASE,
)
_ADDS = lazy_pattern(
    rf"(?:add|adds|adding|define|set ?up|setup|introduce|build|{spaced(ADDS)})\b|{unspaced(ADDS)}", re.IGNORECASE
)
_ADDS_BEHIND = lazy_pattern(unspaced(ADDS))
_CODE = lazy_pattern(
    r"\.(?:c|cc|cpp|cs|clj|dart|ex|exs|go|h|hpp|java|jsx?|kts?|lua|mjs|php|pl|ps1|py|rb|rs|scala|sh|sql|svelte|swift|tsx?|vue|zig)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Counted:
    """Of some open tasks: how many name files, and of how many all of these are there."""

    open: int
    named: int
    there: int

    def __str__(self) -> str:
        """Return it in words: "67 of 71 open tasks name files that are there"."""
        if not self.named:
            return (
                f"none of the {self.open} open tasks names a file" if self.open != 1 else "the open task names no file"
            )
        return f"{self.there} of {self.named} open tasks name files that are there"


@dataclass(frozen=True)
class Seen:
    """A tree, and all features with what they ticked."""

    tree: Tree
    files: Sequence[tuple[Feature, TasksFile]]

    @cached_property
    def accounted(self) -> frozenset[str]:
        """Return the files of the tree that ticked tasks name; it takes reading the tasks of all features."""
        return frozenset(
            where
            for feature, file in self.files
            for task in file.tasks
            if task.mark is Mark.DONE
            for path in task.paths
            if (where := self.tree.find(path, feature.root))
        )

    @property
    def ticked(self) -> bool:
        """Return True if any feature has a ticked box."""
        return any(file.completed for _, file in self.files)


def count(tasks: Sequence[SpecTask], feature: Feature, tree: Tree) -> Counted:
    """Count the open tasks that name files, those of the feature's folder aside, and those of which all are there."""
    named = [paths for task in tasks if (paths := _own(task.paths, feature))]
    there = sum(all(_find(path, paths, feature, tree) for path in paths) for paths in named)
    return Counted(len(tasks), len(named), there)


def why_stale(phase: Phase, tasks: Sequence[SpecTask], feature: Feature, file: TasksFile, seen: Seen) -> str | None:
    """Return why the boxes of a feature, or of its next phase, may be stale; None where nothing speaks for it.

    `tasks` are those of the phase that would be handed out.
    """
    every = [task for task in file.tasks if task.pending]
    untouched = not file.completed
    if _mostly_there(every, feature, seen) or (untouched and _nearly_all_there(every, feature, seen)):
        words = f"{count(every, feature, seen.tree)} in {feature.path}"
        return f"{words}, and none of its {file.total} boxes is ticked" if untouched else words
    here = f"{count(tasks, feature, seen.tree)} in {phase.title} of {feature.path}"
    if _mostly_there(tasks, feature, seen):
        return here
    later = next((one for one in file.phases[file.phases.index(phase) + 1 :] if one.completed), None)
    if later is not None and all(_is_there(task, feature, seen) for task in tasks):
        return f"{here}, and {later.title} after it has ticked boxes"
    return None if seen.ticked else _incomparable(every, feature, seen)


def _mostly_there(tasks: Sequence[SpecTask], feature: Feature, seen: Seen) -> bool:
    """Return True if most of the tasks that ask for something new ask for what is there."""
    return _share(tasks, feature, seen, {"make"}, FEWEST) > 1 / 2


def _nearly_all_there(tasks: Sequence[SpecTask], feature: Feature, seen: Seen) -> bool:
    return _share(tasks, feature, seen, {"make", "add"}, FEWEST_ADDED) >= NEARLY_ALL


def _share(tasks: Sequence[SpecTask], feature: Feature, seen: Seen, kinds: Collection[str], fewest: int) -> float:
    """Return the share of the counting tasks whose files are all there; 0 where too few files are there to tell."""
    named = [
        [place for path, place in places_of(task, feature, seen.tree).items() if not seen.tree.is_common(place or path)]
        for task in tasks
        if asks_for(task) in kinds
    ]
    if len(_whole(named)) < fewest:
        return 0.0  # whatever is accounted for
    counting = [left for places in named if (left := [place for place in places if place not in seen.accounted])]
    if len(_whole(counting)) < fewest:
        return 0.0
    return sum(all(places) for places in counting) / len(counting)


def _whole(named: Iterable[Sequence[str | None]]) -> set[str]:
    """Return the files of those tasks of which every file is there."""
    return {place for places in named if all(places) for place in places if place}


def _is_there(task: SpecTask, feature: Feature, seen: Seen) -> bool:
    """Return True if a task asks for something new, and names files of which all are there."""
    places = places_of(task, feature, seen.tree)
    files = [place for path, place in places.items() if not is_folder(path) and not seen.tree.is_common(place or path)]
    return asks_for(task) == "make" and bool(files) and all(places.values())


def _incomparable(tasks: Sequence[SpecTask], feature: Feature, seen: Seen) -> str | None:
    """Return that nothing can be compared, in words, where no task names a file and there is more code than there are tasks."""
    named = any(not is_folder(path) for task in tasks for path in places_of(task, feature, seen.tree))
    code = sum(_CODE.search(path) is not None for path in seen.tree.paths)
    if named or len(tasks) < FEWEST_ADDED or code <= len(tasks):
        return None
    return (
        f"none of the {len(tasks)} open tasks of {feature.path} names a file and no box is ticked, although the repository "
        f"holds {code} source files"
    )


def asks_for(task: SpecTask) -> str:
    """Return "make" for a task that asks for something new, "add" where that may be a line in an old file, else ""."""
    bare = _LABELS.sub("", task.text[:LOOKED_AT], count=1)
    if _CHANGES.match(bare):
        return ""
    if _ADDS.match(bare):
        return "add"
    if _MAKES.search(bare):
        return "make"
    if _CHANGES_BEHIND.search(bare):
        return ""
    if _ADDS_BEHIND.search(bare):
        return "add"
    return "make" if task.paths and bare.startswith(task.paths[0]) else ""


def places_of(task: SpecTask, feature: Feature, tree: Tree) -> dict[str, str | None]:
    """Map what a task asks to change to where it is in the tree, None where it is not there.

    Documents of Spec Kit and what the task lets go are left out.
    """
    if not task.paths:
        return {}
    found = split(task.text, feature.path)
    named = [path for path in _own(found.targets, feature) if path not in found.removals]
    return {path: _find(path, named, feature, tree) for path in named}


def _own(paths: Iterable[str], feature: Feature) -> list[str]:
    """Leave out the documents of the feature, by their names and by their folder."""
    return [
        path for path in paths if path.rpartition("/")[2] not in DOCUMENTS and not path.startswith(f"{feature.path}/")
    ]


def _find(path: str, named: Sequence[str], feature: Feature, tree: Tree) -> str | None:
    """Find a file that a task names; a bare name belongs to a folder that the task names, too."""
    place = tree.find(path, feature.root)
    if place is not None or "/" in path:
        return place
    inside = (f"{folder.rstrip('/')}/{path}" for folder in named if is_folder(folder))
    return next((found for one in inside if (found := tree.find(one, feature.root))), None)
