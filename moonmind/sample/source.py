"""The sample repository as plain values, from which the local forge and the demo create it."""

import re
from importlib import resources
from importlib.resources.abc import Traversable

REPOSITORY = "moonmind/spec-kit-reference"
"""The name under which the local forge always has it."""

FEATURE_KEY = "spec-42-refresh-docs"
"""The sample's one feature."""

FEATURE_PATH = f"specs/{FEATURE_KEY}"

_SCRIPTS = {
    "setup": "phase-1.json",
    "foundational": "phase-2.json",
    "user story 1": "phase-3.json",
    "polish": "phase-4.json",
}
_PHASE_NUMBER = re.compile(r"^phase \d+: ")


def files() -> dict[str, bytes]:
    """Read the whole sample repository: content by posix path, in order of the paths."""
    return dict(sorted(_walk(_packaged("repository"), "").items()))


def script_for(feature_path: str, phase_title: str) -> bytes | None:
    """Read what a scripted agent does in a phase of the sample's feature; None for every other feature and phase.

    The feature's path tells the sample, also where a copy has another name. Phases called Setup or Polish are in nearly
    every repository, and what this script writes belongs into none of them.
    """
    if feature_path != FEATURE_PATH:
        return None
    title = _PHASE_NUMBER.sub("", phase_title.strip().casefold())
    for beginning, name in _SCRIPTS.items():
        if re.match(rf"{beginning}\b", title):
            return _packaged("scripts").joinpath(name).read_bytes()
    return None


def _packaged(folder: str) -> Traversable:
    return resources.files("moonmind.sample").joinpath(folder)


def _walk(folder: Traversable, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.name == "__pycache__":  # installers compile whatever ends in .py
            continue
        if entry.is_dir():
            found |= _walk(entry, f"{prefix}{entry.name}/")
        else:
            found[prefix + entry.name] = entry.read_bytes()
    return found
