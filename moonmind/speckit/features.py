"""Which features a repository holds, and which of them a run works on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moonmind.errors import FeatureMissing, SpecUnreadable
from moonmind.speckit.tasks import TasksFile


@dataclass(frozen=True, slots=True)
class Feature:
    """A folder under `specs/` that holds a tasks.md."""

    key: str
    """The folder below `specs/`: `042-x`, or `feature/x` when the branch name had a slash."""
    path: str
    """The folder from the repository's root: `specs/042-x`; unique."""
    tasks_path: str
    spec_path: str | None = None
    plan_path: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The feature a run works on, or None when all are complete, and why."""

    feature: Feature | None
    reason: str


def find_features(paths: Iterable[str]) -> tuple[Feature, ...]:
    """Find the features in a listing of the tree's file paths, sorted by number, then path."""
    return tuple(
        Feature(path.split("/")[1], path.rpartition("/")[0], path)
        for path in sorted(paths)
        if path.startswith("specs/") and path.count("/") == 2 and path.endswith("/tasks.md")
    )


def normalise_key(requested: str) -> str:
    """Bring the ways to write a feature's key to one."""
    return requested.strip().removeprefix("specs/").rstrip("/")


def matches(feature: Feature, requested: str) -> bool:
    """Tell whether the request can mean this feature: `042`, `042-x` and `specs/042-x` all do."""
    return normalise_key(requested) in {feature.key, feature.path}


def choose_feature(
    features: Iterable[Feature],
    files: Mapping[str, TasksFile],
    *,
    requested: str = "",
    feature_json: str | None = None,
    branch: str | None = None,
    unreadable: Mapping[str, SpecUnreadable] | None = None,
) -> Choice:
    """Choose by rule; `files` and `unreadable` are keyed by the feature's path."""
    del files, feature_json, branch, unreadable
    for feature in features:
        if matches(feature, requested):
            return Choice(feature, "it was asked for")
    raise FeatureMissing(f"There is no feature {requested!r}.")
