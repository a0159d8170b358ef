"""Reads from a repository's commits what its tests need, and writes it as orders of environments."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from moonmind.errors import RecipeUnreadable, VcsRefused
from moonmind.ports.environments import EnvironmentOrder
from moonmind.ports.vcs import TreeFile, Vcs
from moonmind.proof.environments.environment_plan import EnvironmentPlan, plan_environments
from moonmind.proof.environments.environment_value import Environment, key_paths
from moonmind.proof.recipe import RECIPE_FILE
from moonmind.proof.recipe_reading import LARGEST
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
        """Return what would be set up. Raises RecipeUnreadable, VcsError."""
        return plan_environments(self._recipe(), list(self.files), self._read)

    def orders(self, environments: Iterable[Environment], run: str = "") -> list[EnvironmentOrder]:
        """Return what builds them; those whose key files were not merged as they are, are for the one run alone."""
        before = self.files if self._base == self._commit else self._regular(self._base)
        orders = []
        for environment in environments:
            paths = key_paths(environment, self.files)
            content = self._vcs.blobs(self._repository, [self.files[path].object_id for path in paths])
            merged = _objects(environment, self.files) == _objects(environment, before)
            orders.append(
                EnvironmentOrder(
                    repository=self._repository,
                    environment=environment,
                    key_files={path: content[self.files[path].object_id] for path in paths},
                    check_out=self._check_out,
                    run="" if merged else run,
                )
            )
        return orders

    def key_files(self, environments: Iterable[Environment]) -> dict[str, str]:
        """Return the object ids of their key files, by path."""
        return {path: name for one in environments for path, name in _objects(one, self.files)}

    def _check_out(self, folder: Path) -> None:
        self._vcs.check_out(self._repository, self._commit, folder)

    def _regular(self, commit: str) -> dict[str, TreeFile]:
        return {one.path: one for one in self._vcs.listing(self._repository, commit) if one.mode in _REGULAR}

    def _recipe(self) -> bytes | None:
        try:
            return self._vcs.read(self._repository, self._base, RECIPE_FILE, limit=LARGEST)
        except VcsRefused as error:
            raise RecipeUnreadable(f"{RECIPE_FILE} at {self._base[:12]} cannot be read: {error.message}") from error

    def _read(self, path: str) -> bytes | None:
        try:
            return self._vcs.read(self._repository, self._commit, path, limit=LARGEST_BUILD_FILE)
        except VcsRefused:
            return None  # too large to be one


def _objects(environment: Environment, files: Mapping[str, TreeFile]) -> list[tuple[str, str]]:
    return [(path, files[path].object_id) for path in key_paths(environment, files)]
