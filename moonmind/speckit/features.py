"""Which features a repository holds, and which of them a run works on."""

import re
from collections.abc import Collection, Iterable, Sequence

from moonmind.errors import FeatureUnclear
from moonmind.speckit.feature import TASKS, Feature, document_order, matches, normalise_key, short_path, written_path

__all__ = ["Feature", "find_features", "listed", "matches", "normalise_key", "refuse_shared_key", "without_tasks"]

SPEC = "spec.md"
_ASIDE = """
archive archived archives example examples fixture fixtures node_modules openspec sample samples
template templates testdata vendor
"""
_NOT_FEATURES = frozenset(_ASIDE.split())
"""Folder names under which a tasks.md is a sample, a copy, or another tool's."""

_COPIES = frozenset({"backup", "backups"})
"""The same where they hold a folder `specs`; a feature may be called so."""

_SHOWN = frozenset({"demo", "demos", "example", "examples", "sample", "samples"})
"""Names of what shows something, where they hold a folder `specs`: a copy, unless nothing else holds a feature."""

_TESTS = frozenset({"test", "tests"})
"""The same: what tests read."""

_ENDED = frozenset(
    {"cancelled", "canceled", "closed", "completed", "deprecated", "done", "finished", "obsolete", "old", "rejected"}
)
"""Names of folders within `specs` to which features go that are over."""

_PROJECT = ".specify"
"""The one hidden folder that holds features; those of tools (`.claude`, `.kiro`, `.github`, ...) hold copies."""
_DOCUMENTATION = frozenset({"design", "doc", "docs", "documentation", _PROJECT})
"""Folders that hold specs of the project around them."""
_LIST = re.compile(r"tasks[-_. ].*\.md|.*[-_. ]tasks\.md", re.IGNORECASE)
_AROUND = re.compile(r"^[\W_0]+|[\W_]+(?:20\d\d[\W_\d]*)?$")
"""What may stand around the name of such a folder: `_archive`, `000-template`, `done-2025`."""
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
    worked_on = [feature for feature in features if not _only_shows(feature, features)]
    return tuple(sorted(worked_on or features, key=document_order))


def _key(folder: str) -> str | None:
    """Return the part below the innermost `specs`; None when the folder is no place for a feature."""
    above, below = _around_specs(folder)
    if not below or any(_is_aside(part, _NOT_FEATURES) for part in below):
        return None
    if any(_is_aside(part, (_NOT_FEATURES | _COPIES) - _SHOWN) for part in above):
        return None
    return None if any(_is_aside(part, _ENDED) for part in below[:-1]) else "/".join(below)


def _around_specs(folder: str) -> tuple[list[str], list[str]]:
    """Return the parts above the innermost `specs` that holds something, and those below it; none below: there is none."""
    parts = folder.split("/")
    if "specs" not in parts[:-1]:
        return parts, []
    below = len(parts) - 1 - parts[-2::-1].index("specs")
    return parts[: below - 1], parts[below:]


def is_copy(folder: str) -> bool:
    """Return True if what a folder holds is a sample, a copy, or another tool's."""
    return any(_is_aside(part, _NOT_FEATURES | _COPIES | _SHOWN | _TESTS) for part in folder.split("/"))


def _is_aside(part: str, names: Collection[str]) -> bool:
    """Return True for one of the names, and for a hidden folder."""
    return _AROUND.sub("", part.casefold()) in names or (part.startswith(".") and part != _PROJECT)


def _only_shows(feature: Feature, features: Sequence[Feature]) -> bool:
    """Return True for a demo, by a folder around its `specs` or, among numbered features, by its own name; for what tests read."""
    if _is_shown_there(feature.path):
        return True
    others = any(one.number is not None for one in features if one is not feature)
    words = [word for word in re.split(r"[\W_\d]+", feature.folder.casefold()) if word]
    alone = len(words) == 1 or feature.number is None
    return others and alone and not _SHOWN.isdisjoint((*words[:1], *words[-1:]))


def _is_shown_there(folder: str) -> bool:
    return any(_is_aside(part, _SHOWN | _TESTS) for part in _around_specs(folder)[0])


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
        and not _is_shown_there(folder)
    }
    return tuple(sorted(folder for folder in folders - taken if not _stands_in_another(folder, taken)))


def lists_beside(paths: Iterable[str], features: Iterable[Feature]) -> tuple[str, ...]:
    """List the files beside a tasks.md that are called like one, `tasks-phase2.md`; they are not read."""
    folders = {feature.path for feature in features}
    return tuple(
        sorted(
            path for path in paths if _LIST.fullmatch(path.rpartition("/")[2]) and path.rpartition("/")[0] in folders
        )
    )


def by_path(features: Sequence[Feature]) -> str:
    """Return how one of several features is named without doubt."""
    return f"Name one by its path with featureKey, such as {features[0].path}."


def listed(paths: Sequence[str]) -> str:
    """Write paths for a sentence; a long list is cut and says how many more there are."""
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
