"""One feature of a repository, and how people name it."""

import re
from dataclasses import dataclass

TASKS = "tasks.md"

_NUMBER = re.compile(r"(\d{8}-\d{6}|\d{1,18})(?=[-_.]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Feature:
    """A folder under `specs/` that holds a tasks.md."""

    key: str
    """The folder below `specs/`: `042-x`, or `feature/x` when the feature's branch had a slash."""
    path: str
    """The folder from the repository's root: `specs/042-x`; unique."""
    tasks_path: str
    spec_path: str | None = None
    plan_path: str | None = None

    @property
    def folder(self) -> str:
        """Give the last part of the path: `x` of `specs/feature/x`."""
        return self.path.rpartition("/")[2]

    @property
    def number(self) -> int | None:
        """Give the number or the time stamp that the folder's name starts with."""
        found = _NUMBER.match(self.folder)
        return _as_int(found[1]) if found else None


def document_order(feature: Feature) -> tuple[bool, int, str]:
    """Sort by number, unnumbered last, then by path."""
    return feature.number is None, feature.number or 0, feature.path


def normalise_key(requested: str) -> str:
    """Bring the ways to write one feature's key to one: trimmed, no `specs/` before, no `/` or tasks.md behind."""
    key = requested.strip().removeprefix("./").removesuffix(f"/{TASKS}").strip("/ ")
    while key.startswith("specs/"):
        key = key.removeprefix("specs/").lstrip("/ ")
    return key


def matches(feature: Feature, requested: str) -> bool:
    """Tell whether the request can mean this feature: `042`, `042-x` and `specs/042-x` all do."""
    return closeness(feature, requested) is not None


def closeness(feature: Feature, requested: str) -> int | None:
    """Rank how a request names a feature, 0 best: its path, its key, its folder, its number; None: not at all."""
    key = normalise_key(requested)
    if not key:
        return None
    if feature.path in {key, f"specs/{key}"}:
        return 0
    if key in {feature.key, feature.folder}:
        return 1 if key == feature.key else 2
    number = _NUMBER.fullmatch(key)
    return 3 if number and feature.number == _as_int(number[1]) else None


def _as_int(number: str) -> int:
    return int(number.replace("-", ""))
