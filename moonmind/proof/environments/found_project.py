"""What is found of one ecosystem in one folder, and what is merely seen."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from moonmind.proof.environments.environment_value import ROOT
from moonmind.proof.environments.project_tree import is_below, joined


@dataclass(frozen=True, slots=True)
class SetupStep:
    """A command that would be run, which file asks for it, and why so."""

    command: str
    source: str
    """Path of the file."""
    because: str


@dataclass(frozen=True, slots=True)
class TestCommand:
    """A command that runs the tests, and which file shows it."""

    command: str
    source: str


@dataclass(slots=True)
class FoundProject:
    """What one ecosystem needs in one folder."""

    folder: str
    """`""`: the repository's root."""
    ecosystem: str | None
    steps: list[SetupStep] = field(default_factory=list)
    key_files: list[str] = field(default_factory=list)
    """Patterns, relative to the folder."""
    tests: list[TestCommand] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, command: str, source: str, because: str) -> None:
        """Add a command; `source` is a name in the folder."""
        self.steps.append(SetupStep(command, joined(self.folder, source), because))


@dataclass(frozen=True, slots=True)
class Search:
    """What one ecosystem finds in a repository."""

    projects: tuple[FoundProject, ...] = ()
    notes: tuple[str, ...] = ()


def shown_folder(folder: str) -> str:
    """Return a folder as people and recipes name it."""
    return folder or ROOT


def nearest_above(folder: str, taken: Iterable[str]) -> str | None:
    """Return the deepest of the taken folders that a folder is below."""
    return max((one for one in taken if is_below(folder, one)), key=len, default=None)
