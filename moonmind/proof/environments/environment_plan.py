"""The environments of a repository: those of its `.moonmind.yml`, and only without any there, those that its files show."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moonmind.proof.environments.detection import Detection, Read, detect
from moonmind.proof.environments.environment_value import ROOT, Environment, from_recipe, key_paths
from moonmind.proof.environments.project_tree import is_below
from moonmind.proof.recipe import RECIPE_FILE, EnvironmentRecipe, RecipeFile

_MOST_MISPLACED = 5
_PROGRAMS = {
    "pypi": {"pip", "pip3", "pipx", "uv", "uvx", "poetry", "pdm", "pipenv"},
    "npm": {"npm", "npx", "pnpm", "yarn", "bun", "bunx", "corepack"},
    "go": {"go"},
    "crates": {"cargo"},
    "maven": {"mvn", "mvnw", "gradle", "gradlew"},
}
"""The programs of each ecosystem that fetch packages."""


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What would be set up, and what else was found."""

    environments: tuple[Environment, ...]
    declared: bool
    """The file says so; otherwise it was detected."""
    found: Detection
    notes: tuple[str, ...] = ()
    """What does not fit between the file and the tree."""


def plan_environments(recipe: RecipeFile, listing: Sequence[str], read: Read) -> EnvironmentPlan:
    """Return the plan; `listing` and `read` are the tree that the recipe was read from."""
    found = detect(listing, read)
    misplaced = _misplaced(listing)
    if recipe.environments is None:
        return EnvironmentPlan(tuple(one.environment for one in found.environments), False, found, misplaced)
    environments = tuple(from_recipe(one, _ecosystems(one, found)) for one in recipe.environments)
    notes = [note for one in environments for note in _misfits(one, listing)]
    return EnvironmentPlan(environments, True, found, (*misplaced, *notes))


def _ecosystems(recipe: EnvironmentRecipe, found: Detection) -> set[str]:
    """Return those whose files stand in the root or below it, and those whose programs the setup calls."""
    root = "" if recipe.root == ROOT else recipe.root
    words = {word for command in recipe.setup for word in re.findall(r"[\w-]+", command)}
    return {
        name
        for one in (*found.environments, *found.proposals)
        if is_below("" if one.environment.root == ROOT else one.environment.root, root)
        for name in one.environment.ecosystems
    } | {name for name, programs in _PROGRAMS.items() if not programs.isdisjoint(words)}


def _misplaced(listing: Iterable[str]) -> tuple[str, ...]:
    """Name the files that somebody may take for the recipe."""
    names = (RECIPE_FILE, f"{RECIPE_FILE.removesuffix('.yml')}.yaml")
    found = sorted(path for path in listing if path.rpartition("/")[2] in names and path != RECIPE_FILE)
    return tuple(
        f"{path} is not read: only {RECIPE_FILE} in the repository's root is" for path in found[:_MOST_MISPLACED]
    )


def _misfits(environment: Environment, listing: Iterable[str]) -> list[str]:
    begin = f"{environment.root}/"
    if environment.root != ROOT and not any(path.startswith(begin) for path in listing):
        return [f"there is no folder {environment.root}, which is the root of an environment"]
    if environment.setup and not key_paths(environment, listing):
        return [f"no file is a key file of {environment.root}: its environment would never be built anew"]
    return []
