"""An environment as a value: where it comes from does not matter to those who build and lend it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from moonmind.proof.path_globs import PathPatterns
from moonmind.proof.recipe import EnvironmentRecipe

ROOT = "."
"""The repository's root, as `root` names it."""

KNOWN_KEY_FILES = (
    ".node-version", ".npmrc", ".nvmrc", ".pnpmfile.cjs", ".python-version", ".yarnrc", ".yarnrc.yml", "Cargo.lock", "Cargo.toml",
    "Gemfile", "Gemfile.lock", "Pipfile", "Pipfile.lock", "build.gradle", "build.gradle.kts", "bun.lock", "bun.lockb",
    "composer.json", "composer.lock", "constraints*.txt", "*requirements*.txt", "go.mod", "go.sum", "go.work", "go.work.sum",
    "gradle.lockfile", "npm-shrinkwrap.json", "package-lock.json", "package.json", "pdm.lock", "pnpm-lock.yaml",
    "pnpm-workspace.yaml", "poetry.lock", "pom.xml", "pubspec.lock", "pubspec.yaml", "pyproject.toml", "rust-toolchain",
    "rust-toolchain.toml", "settings.gradle", "settings.gradle.kts", "setup.cfg", "setup.py", "uv.lock", "yarn.lock",
)  # fmt: skip
"""What counts in the root where a recipe names no key files."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What is needed below one folder."""

    root: str = ROOT
    image: str | None = None
    setup: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    key_files: tuple[str, ...] = ()
    """Patterns, relative to the root."""
    variables: tuple[tuple[str, str], ...] = ()
    """Names and values, by name."""
    paths: tuple[str, ...] = ("**",)
    """Patterns from the repository's root: for whose changes it is meant."""
    ecosystems: tuple[str, ...] = ()
    """Whose registries of packages the setup asks: `pypi`, `npm`, `go`, `crates`, `maven`."""

    @property
    def empty(self) -> bool:
        """Return True if it asks for nothing that could be set up, started or set."""
        return not (self.setup or self.start or self.variables)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs and digests."""
        return {
            "root": self.root,
            "image": self.image,
            "setup": list(self.setup),
            "start": list(self.start),
            "key_files": list(self.key_files),
            "variables": dict(self.variables),
            "paths": list(self.paths),
            "ecosystems": list(self.ecosystems),
        }


def from_recipe(recipe: EnvironmentRecipe, ecosystems: Iterable[str] = ()) -> Environment:
    """Return the environment that a recipe asks for; `ecosystems` are those whose files are in its root."""
    return Environment(
        root=recipe.root,
        image=recipe.image,
        setup=recipe.setup,
        start=recipe.start,
        key_files=KNOWN_KEY_FILES if recipe.key_files is None else recipe.key_files,
        variables=tuple(sorted(recipe.variables.items())),
        paths=recipe.paths,
        ecosystems=tuple(sorted(set(ecosystems))),
    )


def key_paths(environment: Environment, listing: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of the environment's key files, sorted."""
    begin = "" if environment.root == ROOT else f"{environment.root}/"
    patterns = PathPatterns(environment.key_files)
    return tuple(sorted(path for path in listing if path.startswith(begin) and patterns.match(path[len(begin) :])))


def environments_for(environments: Sequence[Environment], paths: Iterable[str]) -> tuple[Environment, ...]:
    """Return those that a change of these paths needs: for each path the one with the deepest root that is meant for it."""
    deepest_first = sorted(environments, key=lambda one: -_depth(one.root))
    patterns = [PathPatterns(one.paths) for one in deepest_first]
    needed = set()
    for path in paths:
        found = next((index for index, pattern in enumerate(patterns) if pattern.match(path)), None)
        if found is not None:
            needed.add(deepest_first[found])
    return tuple(one for one in environments if one in needed)


def _depth(root: str) -> int:
    return 0 if root == ROOT else root.count("/") + 1
