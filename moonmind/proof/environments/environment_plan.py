"""The environments of a repository: those of its `.moonmind.yml`, and only without any there, those that its files show."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moonmind.proof.environments.detection import Detection, Read, detect
from moonmind.proof.environments.environment_value import ROOT, Environment, from_recipe, key_paths
from moonmind.proof.environments.project_tree import is_below
from moonmind.proof.recipe import RECIPE_FILE, EnvironmentRecipe
from moonmind.proof.recipe_reading import read_recipe

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
    """What does not fit between the file and the tree, and what is not certain of the file."""


def plan_environments(recipe: bytes | None, listing: Sequence[str], read: Read) -> EnvironmentPlan:
    """Return the plan for a tree, of which `recipe` is the content of its `.moonmind.yml`, None where there is none.

    Raises RecipeUnreadable, with lines, for a recipe that is not certain or does not fit the tree.
    """
    written = None if recipe is None else read_recipe(recipe, frozenset(listing)).environments
    found = detect(listing, read)
    misplaced = _misplaced(listing)
    if written is None:
        silent = (f"{RECIPE_FILE} is there and says nothing of an environment; the build files decide",)
        environments = tuple(one.environment for one in found.environments)
        return EnvironmentPlan(environments, False, found, (*(() if recipe is None else silent), *misplaced))
    environments = tuple(from_recipe(one, _ecosystems(one, found)) for one in written)
    notes = [note for one in environments for note in _misfits(one, listing)]
    notes += [
        f"image {one.image}: used in the sandbox docker only, where an operator allows it (MOONMIND_SANDBOX_IMAGES)"
        + (
            ""
            if one.image_is_pinned
            else "; what it names can change: write NAME@sha256:DIGEST, or an image's ID, for one image"
        )
        for one in written
        if one.image is not None
    ]
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
    if environment.setup and not key_paths(environment, listing):
        return [f"no file is a key file of {environment.root}: its environment would never be built anew"]
    return []
