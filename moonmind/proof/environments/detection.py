"""What a repository's files show of what its tests need, where it does not say so itself. Nothing is run, nothing is guessed."""

from collections.abc import Iterable
from dataclasses import dataclass

from moonmind.proof.environments import go_projects, node_projects, proposed_projects, python_projects
from moonmind.proof.environments.environment_value import Environment
from moonmind.proof.environments.found_project import FoundProject, SetupStep, TestCommand, shown_folder
from moonmind.proof.environments.project_tree import ProjectTree, Read
from moonmind.proof.environments.setup_hints import SetupHint, find_hints
from moonmind.proof.recipe import MOST_ENVIRONMENTS, MOST_GLOBS, everything_below

__all__ = ["DetectedEnvironment", "Detection", "Read", "SetupHint", "SetupStep", "TestCommand", "detect"]

_SHOWN = 5
_MANIFESTS = go_projects.MANIFESTS | node_projects.MANIFESTS | python_projects.MANIFESTS | proposed_projects.MANIFESTS


@dataclass(frozen=True, slots=True)
class DetectedEnvironment:
    """An environment, and what shows it."""

    environment: Environment
    steps: tuple[SetupStep, ...]
    """The commands of `environment.setup`, each with its file and reason."""
    tests: tuple[TestCommand, ...]
    """One of each ecosystem, where known."""
    notes: tuple[str, ...]
    """What a person should know before relying on it."""


@dataclass(frozen=True, slots=True)
class Detection:
    """All that was found."""

    environments: tuple[DetectedEnvironment, ...] = ()
    """What would be set up."""
    proposals: tuple[DetectedEnvironment, ...] = ()
    """What a person may take up in `.moonmind.yml`."""
    hints: tuple[SetupHint, ...] = ()
    notes: tuple[str, ...] = ()


def detect(listing: Iterable[str], read: Read) -> Detection:
    """Return what the files show. `listing` holds the tree's paths; `read` returns a file's content, None where it cannot be had."""
    tree = ProjectTree(listing, read)
    certain = [python_projects.find_python(tree), node_projects.find_node(tree), go_projects.find_go(tree)]
    proposed = proposed_projects.find_proposals(tree)
    environments = _by_folder(project for search in certain for project in search.projects)
    proposals = _by_folder(proposed.projects)
    notes = [note for search in certain for note in search.notes]
    if len(environments) > MOST_ENVIRONMENTS:
        notes.insert(
            0,
            f"{len(environments)} folders could be set up, more than {MOST_ENVIRONMENTS}: none is taken. "
            "Name those that matter in .moonmind.yml",
        )
        proposals = (*environments, *proposals)
        environments = ()
    hints = find_hints(tree)
    if left_out := tree.left_out(_MANIFESTS):
        notes.append(f"left out, as folders for examples, tests, copies or what was built: {_listed(left_out)}")
    if tree.unreadable:
        notes.append(
            f"not read, since it is too large, no regular file, or not understood: {_listed(tuple(tree.unreadable))}"
        )
    return Detection(environments, proposals[:MOST_ENVIRONMENTS], hints, tuple(notes))


def _by_folder(projects: Iterable[FoundProject]) -> tuple[DetectedEnvironment, ...]:
    by_folder: dict[str, list[FoundProject]] = {}
    for project in projects:
        by_folder.setdefault(project.folder, []).append(project)
    folders = sorted(by_folder, key=lambda folder: (folder.count("/") + bool(folder), folder))
    return tuple(_environment(folder, by_folder[folder], alone=len(folders) == 1) for folder in folders)


def _environment(folder: str, projects: list[FoundProject], *, alone: bool) -> DetectedEnvironment:
    root = shown_folder(folder)
    steps = tuple(step for project in projects for step in project.steps)
    key_files = dict.fromkeys(name for project in projects for name in project.key_files)
    notes = [note for project in projects for note in project.notes]
    tests = tuple(project.tests[0] for project in projects if project.tests)
    if len(key_files) > MOST_GLOBS:
        notes.append(f"only the first {MOST_GLOBS} of {len(key_files)} key files count")
    return DetectedEnvironment(
        Environment(
            root=root,
            setup=tuple(step.command for step in steps),
            key_files=tuple(key_files)[:MOST_GLOBS],
            paths=("**",) if alone else everything_below(root),
            ecosystems=tuple(sorted({project.ecosystem for project in projects if project.ecosystem})),
        ),
        steps,
        tests,
        tuple(dict.fromkeys(notes)),
    )


def _listed(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
