"""Reads from a repository's commits what its tests need, and writes it as orders of environments."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial

from moonmind.errors import RecipeUnreadable, VcsRefused
from moonmind.ports.environments import EnvironmentOrder
from moonmind.ports.vcs import TreeFile, Vcs
from moonmind.proof.environments.environment_plan import EnvironmentPlan, plan_environments
from moonmind.proof.environments.environment_value import ROOT, Environment, key_paths
from moonmind.proof.recipe import RECIPE_FILE, RecipeFile
from moonmind.proof.recipe_reading import LARGEST, read_recipe
from moonmind.speckit.project_commands import LARGEST as LARGEST_BUILD_FILE

_REGULAR = ("100644", "100755")


class RepositoryEnvironments:
    """What the tests of one commit need. `base` is a commit of the branch that the work is for: what it holds was merged.

    `.moonmind.yml` is read there: what an agent wrote into it counts once it is merged. The rest is read at `commit`.
    """

    def __init__(self, vcs: Vcs, repository: str, commit: str, base: str) -> None:
        self._vcs = vcs
        self._repository = repository
        self._commit = commit
        self._base = base
        self.files = self._regular(commit)
        """The regular files at `commit`, by path."""

    def plan(self) -> EnvironmentPlan:
        """Return what would be set up. Raises RecipeUnreadable, VcsError.

        A recipe is held to the tree that it stands in; where that has a root and `commit` has it no more, nothing is set up there.
        """
        recipe = self._recipe()
        found = plan_environments(
            recipe, sorted({*self.files, *self._merged}) if recipe else list(self.files), self._read
        )
        if not found.declared:
            return found if recipe is None else plan_environments(None, list(self.files), self._read)
        there = tuple(one for one in found.environments if self._has(one.root))
        return replace(found, environments=there)

    def orders(self, environments: Iterable[Environment], run: str = "") -> list[EnvironmentOrder]:
        """Return what builds them.

        What all runs share is built from merged files only, whatever else `commit` holds. Where its key files were not merged as
        they are, an environment is built from `commit`, for the one run alone.
        """
        orders = []
        for environment in environments:
            objects = _objects(environment, self.files)
            merged = self._base == self._commit or objects == _objects(environment, self._merged)
            orders.append(
                EnvironmentOrder(
                    repository=self._repository,
                    environment=environment,
                    key_files={path: name.encode() for path, name in objects},
                    check_out=partial(self._vcs.check_out, self._repository, self._base if merged else self._commit),
                    run="" if merged else run,
                )
            )
        return orders

    def key_files(self, environments: Iterable[Environment]) -> dict[str, str]:
        """Return the object ids of their key files, by path."""
        return {path: name for one in environments for path, name in _objects(one, self.files)}

    @cached_property
    def _merged(self) -> dict[str, TreeFile]:
        """The regular files at `base`."""
        return self.files if self._base == self._commit else self._regular(self._base)

    def _has(self, root: str) -> bool:
        return root == ROOT or any(path.startswith(f"{root}/") for path in self.files)

    def _regular(self, commit: str) -> dict[str, TreeFile]:
        return {one.path: one for one in self._vcs.listing(self._repository, commit) if one.mode in _REGULAR}

    def _recipe(self) -> bytes | None:
        return _recipe_text(self._vcs, self._repository, self._base)

    def _read(self, path: str) -> bytes | None:
        try:
            return self._vcs.read(self._repository, self._commit, path, limit=LARGEST_BUILD_FILE)
        except VcsRefused:
            return None  # too large to be one


def recipe_at(vcs: Vcs, repository: str, commit: str) -> RecipeFile | None:
    """Return `.moonmind.yml` as it is at a commit; None where there is none. Raises RecipeUnreadable, VcsError."""
    text = _recipe_text(vcs, repository, commit)
    return None if text is None else read_recipe(text)


def _recipe_text(vcs: Vcs, repository: str, commit: str) -> bytes | None:
    try:
        return vcs.read(repository, commit, RECIPE_FILE, limit=LARGEST)
    except VcsRefused as error:
        raise RecipeUnreadable(f"{RECIPE_FILE} at {commit[:12]} cannot be read: {error.message}") from error


def _objects(environment: Environment, files: Mapping[str, TreeFile]) -> list[tuple[str, str]]:
    return [(path, files[path].object_id) for path in key_paths(environment, files)]
