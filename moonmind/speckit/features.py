"""Which features a repository holds, and which of them a run works on."""

import re
from collections.abc import Collection, Iterable, Sequence

from moonmind.errors import FeatureUnclear
from moonmind.speckit.feature import TASKS, Feature, document_order, matches, normalise_key, short_path, written_path

__all__ = [
    "Feature",
    "find_features",
    "listed",
    "matches",
    "normalise_key",
    "refuse_shared_key",
    "survey",
    "without_tasks",
]

SPEC = "spec.md"
_NOT_FEATURES = frozenset(
    [
        "archive",
        "archived",
        "archives",
        "fixture",
        "fixtures",
        "node_modules",
        "openspec",
        "template",
        "templates",
        "test-fixtures",
        "test_fixtures",
        "testdata",
        "vendor",
    ]
)
"""Folder names under which a tasks.md is a copy, or another tool's."""

_COPIES = frozenset({"backup", "backups", "worktree", "worktrees"})
"""The same where they hold a folder `specs`; a feature may be called so."""

_SAMPLES = frozenset({"example", "examples", "sample", "samples"})
_SHOWN = _SAMPLES | {"demo", "demos"}
"""Names of what shows something: set aside."""

_TESTS = frozenset({"test", "tests"})
"""The same where they hold a folder `specs`: what tests read."""

_ENDED = frozenset(
    [
        "abandoned",
        "cancelled",
        "canceled",
        "closed",
        "completed",
        "deprecated",
        "done",
        "finished",
        "implemented",
        "obsolete",
        "old",
        "rejected",
        "shipped",
        "superseded",
    ]
)
"""Names of folders to which features go that are over: set aside."""

_PROJECT = ".specify"
"""The one hidden folder that holds features; those of tools (`.claude`, `.kiro`, `.github`, ...) hold copies."""
_DOCUMENTATION = frozenset({"design", "doc", "docs", "documentation", _PROJECT})
"""Folders that hold specs of the project around them."""
_LIST = re.compile(r"tasks[-_. ].*\.md|.*[-_. ]tasks\.md", re.IGNORECASE)
_SIGNS = "-_. ()[]+#"
_DIGITS = "0123456789"
_BUILD_FILES = frozenset(
    [
        "build.gradle",
        "build.gradle.kts",
        "cargo.toml",
        "cmakelists.txt",
        "composer.json",
        "gemfile",
        "go.mod",
        "mix.exs",
        "package.json",
        "package.swift",
        "pom.xml",
        "pubspec.yaml",
        "pyproject.toml",
        "requirements.txt",
        "setup.cfg",
        "setup.py",
    ]
)

SHOWN = 20
"""Features that a message lists before it says how many more there are."""


def find_features(paths: Iterable[str]) -> tuple[Feature, ...]:
    """Find the features in a listing of the tree's file paths, lowest number first, unnumbered ones last."""
    return survey(paths)[0]


def survey(paths: Iterable[str]) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Find the features as `find_features` does, and those set aside: demos, what tests read, what is over.

    None is set aside where there would be no other.
    """
    present = set(paths)
    folders = {
        folder: key for path in present if (folder := path.removesuffix(f"/{TASKS}")) != path and (key := _key(folder))
    }
    projects = _projects(present)
    features = [
        Feature(
            key,
            folder,
            f"{folder}/{TASKS}",
            spec if (spec := f"{folder}/spec.md") in present else None,
            plan if (plan := f"{folder}/plan.md") in present else None,
            _root(folder, projects),
        )
        for folder, key in folders.items()
        if not _stands_in_another(folder, folders)
    ]
    features.sort(key=document_order)
    numbered = sum(one.number is not None for one in features)
    aside = [one for one in features if _is_set_aside(one.path, projects) or _only_shows(one, numbered)]
    if len(aside) == len(features):
        return tuple(features), ()
    left_out = set(aside)
    return tuple(one for one in features if one not in left_out), tuple(aside)


def _key(folder: str) -> str | None:
    """Return the part below the innermost `specs`; None when the folder is no place for a feature."""
    above, below = _around_specs(folder)
    if not below or any(map(_is_hidden, (*above, *below))):
        return None
    if _bare(below[-1], _SIGNS + "0") in _NOT_FEATURES or not _NOT_FEATURES.isdisjoint(map(_bare, below[:-1])):
        return None
    return None if not (_NOT_FEATURES | _COPIES).isdisjoint(map(_bare, above)) else "/".join(below)


def _around_specs(folder: str) -> tuple[list[str], list[str]]:
    """Return the parts above the innermost `specs` that holds something, and those below it; none below: there is none."""
    parts = folder.split("/")
    if "specs" not in parts[:-1]:
        return parts, []
    below = len(parts) - 1 - parts[-2::-1].index("specs")
    return parts[: below - 1], parts[below:]


def is_copy(folder: str) -> bool:
    """Return True if what a folder holds is a sample, a copy, or another tool's."""
    parts = folder.split("/")
    aside = _NOT_FEATURES | _COPIES | _SHOWN | _TESTS | _ENDED
    return any(map(_is_hidden, parts)) or not aside.isdisjoint(map(_bare, parts))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part != _PROJECT


def _bare(part: str, before: str = _SIGNS + _DIGITS) -> str:
    """Return a folder's name without what may stand around it: `_archive`, `99-archive`, `000-template`, `done-2025`."""
    return part.casefold().lstrip(before).rstrip(_SIGNS + _DIGITS)


def _is_set_aside(folder: str, projects: Collection[str]) -> bool:
    """Return True for what lies in a folder of demos, of what tests read, or of what is over."""
    above, below = _around_specs(folder)
    if not (_SAMPLES | _ENDED).isdisjoint(map(_bare, below[:-1])):
        return True
    names = [_bare(part) for part in above]
    if names and names[-1] in _TESTS and "/".join(above) in projects:
        names.pop()  # a project that is called so
    return not (_SHOWN | _TESTS | _ENDED).isdisjoint(names)


def _only_shows(feature: Feature, numbered: int) -> bool:
    """Return True for `demo`, `000-sample` and `000-example-feature` among numbered features, for `example` among any."""
    name = _bare(feature.folder, _SIGNS + "0")
    words = re.split(r"[\W_]+", name) if feature.number == 0 else [name]
    if _SHOWN.isdisjoint((words[0], words[-1])):
        return False
    return name in _SAMPLES or numbered > (feature.number is not None)


def _projects(paths: Iterable[str]) -> frozenset[str]:
    """List the folders that hold a build file, or a folder `.specify`."""
    found: set[str] = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name.casefold() in _BUILD_FILES:
            found.add(folder)
        elif path.startswith(f"{_PROJECT}/"):
            found.add("")
        elif f"/{_PROJECT}/" in path:
            found.add(path.partition(f"/{_PROJECT}/")[0])
    return frozenset(found)


def _root(folder: str, projects: Collection[str]) -> str:
    """Find the project around a feature: the nearest folder above its `specs` with a build file or `.specify`.

    Where there is none, it is the folder that holds `specs`, unless that holds documentation only.
    """
    parts = folder.split("/")
    above = parts[: len(parts) - 1 - parts[-2::-1].index("specs") - 1]
    while above and above[-1] in _DOCUMENTATION and "/".join(above) not in projects:
        above.pop()
    for length in range(len(above), -1, -1):
        if "/".join(above[:length]) in projects:
            return "/".join(above[:length])
    return "/".join(above)


def _stands_in_another(folder: str, folders: Collection[str]) -> bool:
    above = folder.rpartition("/")[0]
    while above:
        if above in folders:
            return True
        above = above.rpartition("/")[0]
    return False


def refuse_shared_key(features: Iterable[Feature], requested: str) -> None:
    """Raise FeatureUnclear where a request names by key alone what several features are called; a path names one."""
    asked = written_path(requested)
    found = sorted(
        (one for one in features if asked in {one.key, short_path(one.path)} and one.path != asked), key=document_order
    )
    if len(found) > 1:
        raise FeatureUnclear(
            f"{asked!r} is the key of {len(found)} features: {listed([one.path for one in found])}.",
            remediation=by_path(found),
            features=[one.path for one in found],
        )


def without_tasks(paths: Iterable[str], features: Iterable[Feature]) -> tuple[str, ...]:
    """List the folders that hold a spec.md and no tasks.md, where a feature could be."""
    taken = {feature.path for feature in features}
    folders = {
        folder
        for path in paths
        if (folder := path.removesuffix(f"/{SPEC}")) != path
        and _key(folder) is not None
        and not _is_set_aside(folder, ())
    }
    return tuple(sorted(folder for folder in folders - taken if not _stands_in_another(folder, taken)))


def lists_beside(paths: Iterable[str], features: Iterable[Feature]) -> tuple[str, ...]:
    """List the files beside a tasks.md that are called like one, `tasks-phase2.md`; they are not read."""
    folders = {feature.path for feature in features}
    beside = (path for path in paths if path.rpartition("/")[0] in folders)
    return tuple(sorted(path for path in beside if _LIST.fullmatch(path.rpartition("/")[2])))


def by_path(features: Sequence[Feature]) -> str:
    """Return how one of several features is named without doubt."""
    return f"Name one by its path with featureKey, such as {features[0].path}."


def listed(paths: Sequence[str]) -> str:
    """Write paths for a sentence; a long list is cut and says how many more there are."""
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
