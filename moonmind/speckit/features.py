"""Which features a repository holds, and which of them a run works on."""

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

_COPIES = frozenset({"backup", "backups", "demo", "demos"})
"""The same where they hold a folder `specs`; a feature may be called so."""

_PROJECT = ".specify"
"""The one hidden folder that holds features; those of tools (`.claude`, `.kiro`, `.github`, ...) hold copies."""
_DOCUMENTATION = frozenset({"design", "doc", "docs", "documentation", _PROJECT})
"""Folders that hold specs of the project around them."""
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
    features = (
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
    )
    return tuple(sorted(features, key=document_order))


def _key(folder: str) -> str | None:
    """Return the part below the innermost `specs`; None when the folder is no place for a feature."""
    parts = folder.split("/")
    if "specs" not in parts[:-1] or any(_is_aside(part) for part in parts):
        return None
    below = len(parts) - 1 - parts[-2::-1].index("specs")
    if any(part.casefold() in _COPIES for part in parts[: below - 1]):
        return None
    return "/".join(parts[below:])


def is_copy(folder: str) -> bool:
    """Return True if what a folder holds is a sample, a copy, or another tool's."""
    return any(_is_aside(part) or part.casefold() in _COPIES for part in folder.split("/"))


def _is_aside(part: str) -> bool:
    return part.casefold() in _NOT_FEATURES or (part.startswith(".") and part != _PROJECT)


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
        folder for path in paths if (folder := path.removesuffix(f"/{SPEC}")) != path and _key(folder) is not None
    }
    return tuple(sorted(folder for folder in folders - taken if not _stands_in_another(folder, taken)))


def by_path(features: Sequence[Feature]) -> str:
    """Return how one of several features is named without doubt."""
    return f"Name one by its path with featureKey, such as {features[0].path}."


def listed(paths: Sequence[str]) -> str:
    """Write paths for a sentence; a long list is cut and says how many more there are."""
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
