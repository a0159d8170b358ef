"""Phases as an honest agent does them: what was there, what it wrote, and the verdict that each task has earned.

A phase is a text file: its first lines say what it is about, and each part begins with a line such as `=== after src/a.py`:
`recipe`, `tasks`, `expected`, `before PATH`, `after PATH`, `delete PATH`. A star marks the phase's main task.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.verified_world import RECIPE, SPEC

_PART = re.compile(r"^=== (\w+)(?: (\S+))?\n", re.MULTILINE)


@dataclass(frozen=True)
class HonestPhase:
    """One phase and what it has earned."""

    name: str
    about: str
    before: Mapping[str, bytes | str]
    """The repository that the agent is given."""
    after: Mapping[str, str | None]
    """What it writes; None for what it deletes."""
    expected: Mapping[str, str]
    """The verdict of each task, by id."""
    main: str
    """The id of the task that the phase is about; empty where there is nothing to test."""


def read_phase(path: Path) -> HonestPhase:
    """Read a phase from its file."""
    about, *parts = _PART.split(path.read_text("utf-8"))
    before: dict[str, bytes | str] = {
        ".moonmind.yml": RECIPE,
        f"{SPEC}/spec.md": "# Feature Specification: A\n",
        f"{SPEC}/plan.md": "# Plan\n",
    }
    after: dict[str, str | None] = {}
    expected: dict[str, str] = {}
    main = ""
    for kind, name, words in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        text = words.strip("\n") + "\n" if words.strip() else ""
        match kind:
            case "recipe":
                before[".moonmind.yml"] = text
            case "tasks":
                before[f"{SPEC}/tasks.md"] = f"# Tasks: A\n\n{text}"
            case "before":
                before[name] = text
            case "after":
                after[name] = text
            case "delete":
                after[name] = None
            case "expected":
                for line in text.splitlines():
                    task, verdict, *star = line.split()
                    expected[task] = verdict
                    main = task if star else main
            case _:
                raise ValueError(f"{path.name}: there is no part {kind}")
    if not before[".moonmind.yml"]:
        del before[".moonmind.yml"]
    return HonestPhase(path.stem, about.strip(), before, after, expected, main)
