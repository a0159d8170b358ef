"""Which features a repository holds, and which of them a run works on."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from moonmind.errors import FeatureMissing, FeatureUnclear, SpecUnreadable
from moonmind.speckit.feature import (
    TASKS,
    Feature,
    closeness,
    document_order,
    matches,
    normalise_key,
    short_path,
    written_path,
)
from moonmind.speckit.spec_tasks import TasksFile

__all__ = [
    "Choice",
    "Feature",
    "choose_feature",
    "find_features",
    "matches",
    "normalise_key",
    "refuse_shared_key",
]

_ASIDE = """
.git .kiro archive archived archives example examples fixture fixtures node_modules openspec sample samples template
templates testdata vendor
"""
_NOT_FEATURES = frozenset(_ASIDE.split())
"""Folder names under which a tasks.md is a sample, a copy, or another tool's."""

_BRANCH_PREFIX = re.compile(r"(\d{8}-\d{6}|\d{3,18})-", re.ASCII)
"""What of a branch's name is a feature's: Spec Kit below 0.10 looked its folder up by this."""

SHOWN = 20
"""Features that a message lists before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The feature a run works on, or None when every one is complete, and why in words."""

    feature: Feature | None
    reason: str


def find_features(paths: Iterable[str]) -> tuple[Feature, ...]:
    """Find the features in a listing of the tree's file paths, lowest number first, unnumbered ones last."""
    present = set(paths)
    folders = {
        folder: key for path in present if (folder := path.removesuffix(f"/{TASKS}")) != path and (key := _key(folder))
    }
    features = (
        Feature(
            key,
            folder,
            f"{folder}/{TASKS}",
            spec if (spec := f"{folder}/spec.md") in present else None,
            plan if (plan := f"{folder}/plan.md") in present else None,
        )
        for folder, key in folders.items()
        if not _stands_in_another(folder, folders)
    )
    return tuple(sorted(features, key=document_order))


def _key(folder: str) -> str | None:
    """Return the part below the innermost `specs`; None when the folder is no place for a feature."""
    parts = folder.split("/")
    if "specs" not in parts[:-1] or any(part.casefold() in _NOT_FEATURES for part in parts):
        return None
    below = len(parts) - 1 - parts[-2::-1].index("specs")
    return "/".join(parts[below:])


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
            f"{asked!r} is the key of {len(found)} features: {_listed(found)}.",
            remediation=_by_path(found),
            features=[one.path for one in found],
        )


def choose_feature(
    features: Iterable[Feature],
    files: Mapping[str, TasksFile],
    *,
    requested: str = "",
    feature_json: str | None = None,
    branch: str | None = None,
    unreadable: Mapping[str, SpecUnreadable] | None = None,
) -> Choice:
    """Choose a feature: the requested one, else what `.specify/feature.json` says, else as the branch is named, else the lowest number.

    `files` and `unreadable` are keyed by `Feature.path`. Except for the first rule, only features with open tasks count; one
    that is in neither mapping counts as open. A feature whose tasks.md cannot be read raises its SpecUnreadable when, and
    only when, it is the one chosen. Raises FeatureMissing and FeatureUnclear, listing the features.
    """
    known = tuple(sorted(features, key=document_order))
    if not known:
        raise FeatureMissing("The repository has no feature: there is no specs/<feature>/tasks.md.", features=[])
    refused = unreadable or {}
    choice = _choose(known, files, requested, feature_json, branch)
    if choice.feature and choice.feature.path in refused:
        raise refused[choice.feature.path]
    return choice


def _choose(
    known: Sequence[Feature],
    files: Mapping[str, TasksFile],
    requested: str,
    feature_json: str | None,
    branch: str | None,
) -> Choice:
    if normalise_key(requested):
        feature = _closest(known, requested, repr(requested.strip()))
        if feature is None:
            raise FeatureMissing(
                f"There is no feature {requested.strip()!r}. Features: {_listed(known)}.",
                features=[one.path for one in known],
            )
        return Choice(feature, f"{feature.path} was requested")
    incomplete = [feature for feature in known if not _is_complete(feature, files)]
    if not incomplete:
        total = sum(file.total for file in files.values())
        return Choice(None, f"every task of {_listed(known)} is done ({total} tasks)")
    if (feature := _by_feature_json(known, feature_json)) and feature in incomplete:
        return Choice(feature, f".specify/feature.json names {feature.path}, which has open tasks")
    if branch and (feature := _by_branch(incomplete, branch)):
        return Choice(feature, f"the branch {branch} belongs to {feature.path}, which has open tasks")
    return _lowest(incomplete)


def _is_complete(feature: Feature, files: Mapping[str, TasksFile]) -> bool:
    file = files.get(feature.path)
    return file is not None and file.all_complete


def _by_feature_json(known: Sequence[Feature], text: str | None) -> Feature | None:
    """Find the feature that Spec Kit's own pointer names; None if it is unreadable or matches several."""
    try:
        content = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    named = content.get("feature_directory") if isinstance(content, dict) else None
    if not isinstance(named, str):
        return None
    for wanted in (0, 1):
        if found := [feature for feature in known if closeness(feature, named) == wanted]:
            return found[0] if len(found) == 1 else None
    return None


def _by_branch(incomplete: Sequence[Feature], branch: str) -> Feature | None:
    name = branch.removeprefix("refs/heads/")
    last = name.rpartition("/")[2]
    prefix = _BRANCH_PREFIX.match(last)
    for asked in (name, last, prefix[1] if prefix else ""):
        if asked and (feature := _closest(incomplete, asked, f"The branch {branch}")):
            return feature
    return None


def _closest(candidates: Sequence[Feature], asked: str, named: str) -> Feature | None:
    ranks = {feature: rank for feature in candidates if (rank := closeness(feature, asked)) is not None}
    if not ranks:
        return None
    best = min(ranks.values())
    return _the_one([feature for feature, rank in ranks.items() if rank == best], named)


def _lowest(incomplete: Sequence[Feature]) -> Choice:
    lowest = [feature for feature in incomplete if feature.number == incomplete[0].number]
    feature = _the_one(lowest, "No feature is named, and the lowest number")
    others = len(incomplete) - 1
    if not others:
        return Choice(feature, f"{feature.path} is the only feature with open tasks")
    return Choice(feature, f"{feature.path} has the lowest number of the {len(incomplete)} features with open tasks")


def _the_one(candidates: Sequence[Feature], named: str) -> Feature:
    if len(candidates) > 1:
        raise FeatureUnclear(
            f"{named} matches {len(candidates)} features equally: {_listed(candidates)}.",
            remediation=_by_path(candidates) if len({one.key for one in candidates}) < len(candidates) else None,
            features=[one.path for one in candidates],
        )
    return candidates[0]


def _by_path(features: Sequence[Feature]) -> str:
    return f"Name one by its path with featureKey, such as {features[0].path}."


def _listed(features: Sequence[Feature]) -> str:
    more = len(features) - SHOWN
    return ", ".join(feature.path for feature in features[:SHOWN]) + (f" and {more} more" if more > 0 else "")
