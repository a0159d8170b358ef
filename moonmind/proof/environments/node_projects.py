"""Node: the package manager whose lock file is there."""

import re
from collections.abc import Mapping
from typing import Any

from moonmind.proof.bounded_yaml import YamlRefused, read_yaml
from moonmind.proof.environments.found_project import FoundProject, Search, TestCommand, nearest_above, shown_folder
from moonmind.proof.environments.project_tree import MOST_PROJECTS, ProjectTree, joined, usable_patterns
from moonmind.proof.path_globs import PathPatterns, literal
from moonmind.speckit.project_commands import read_json

LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_OF_MANAGER = {
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
    "pnpm": ("pnpm-lock.yaml",),
    "yarn": ("yarn.lock",),
    "bun": ("bun.lock", "bun.lockb"),
}
MANIFESTS = frozenset({"package.json"})
_BESIDE = (".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "pnpm-workspace.yaml", ".nvmrc", ".node-version")
_BERRY = re.compile(r"yarn@(?:[2-9]|[1-9][0-9])")


def find_node(tree: ProjectTree) -> Search:
    """Find the projects, each with its command; a folder below another one counts where it has a lock file of its own."""
    projects: dict[str, FoundProject] = {}
    members: dict[str, PathPatterns] = {}
    aside: list[str] = []
    for folder in tree.with_any(MANIFESTS):
        above = nearest_above(folder, projects)
        if above is not None and tree.has(folder, *LOCKS) is None:
            if not members[above].match(folder):
                aside.append(folder)
            continue
        if len(projects) >= MOST_PROJECTS:
            break
        patterns = _member_patterns(tree, folder)
        projects[folder] = _project(tree, folder, patterns)
        members[folder] = PathPatterns(joined(literal(folder), pattern) for pattern in patterns)
    for folder in aside:
        above = nearest_above(folder, projects) or ""
        projects[above].key_files.append(f"{literal(folder[len(above) :].lstrip('/'))}/package.json")
    note = f"package.json without a lock file below another project's folder, in no workspace that was read: {_listed(aside)}"
    return Search(tuple(projects.values()), (note,) if aside else ())


def _listed(folders: list[str], most: int = 5) -> str:
    more = f" and {len(folders) - most} more" if len(folders) > most else ""
    return f"{', '.join(map(shown_folder, folders[:most]))}{more}"


def _member_patterns(tree: ProjectTree, folder: str) -> tuple[str, ...]:
    """Return the folders that belong to the workspace of this one, as its files declare them."""
    declared = read_json(tree.text_in(folder, "package.json")).get("workspaces")
    if isinstance(declared, dict):
        declared = declared.get("packages")
    lerna = read_json(tree.text_in(folder, "lerna.json")).get("packages")
    pnpm: Any = None
    try:
        whole = read_yaml(tree.text_in(folder, "pnpm-workspace.yaml").encode("utf-8", "replace"))
        pnpm = whole.at("packages").value if whole is not None and "packages" in whole.below else None
    except YamlRefused:
        tree.unreadable[joined(folder, "pnpm-workspace.yaml")] = None
    return tuple(dict.fromkeys(pattern for given in (declared, pnpm, lerna) for pattern in usable_patterns(given)))


def _project(tree: ProjectTree, folder: str, members: tuple[str, ...]) -> FoundProject:
    found = FoundProject(folder, "npm")
    package = read_json(tree.text_in(folder, "package.json"))
    commands = tree.commands(folder)
    shown = next(
        (one.command for one in commands if one.purpose == "set up" and one.source.endswith("package.json")),
        "npm install",
    )
    manager = shown.partition(" ")[0]
    lock = tree.has(folder, *_OF_MANAGER[manager])
    if lock is None:
        found.step(
            f"{manager} install", "package.json", f"package.json asks for packages; there is no lock file of {manager}"
        )
        found.notes.append(f"there is no lock file of {manager}: which versions are installed depends on the day")
    else:
        found.step(_locked(manager, tree, folder, package), lock, f"{lock} pins the packages")
    others = [name for name in LOCKS if tree.has(folder, name) and name not in _OF_MANAGER[manager]]
    if others:
        found.notes.append(f"{', '.join(others)} is there, too: {manager} is taken{_why(package, manager, lock)}")
    found.key_files += ["package.json", *(name for name in (*LOCKS, *_BESIDE) if tree.has(folder, name))]
    found.key_files += [f"{pattern}/package.json" for pattern in members]
    tests = [one for one in commands if one.purpose == "test" and one.source.endswith("package.json")]
    tests.sort(key=lambda one: not one.command.endswith(" test"))
    found.tests += [TestCommand(one.command, one.source) for one in tests]
    return found


def _locked(manager: str, tree: ProjectTree, folder: str, package: Mapping[str, Any]) -> str:
    match manager:
        case "npm":
            return "npm ci"
        case "yarn":
            return "yarn install --immutable" if _is_berry(tree, folder, package) else "yarn install --frozen-lockfile"
        case _:
            return f"{manager} install --frozen-lockfile"


def _is_berry(tree: ProjectTree, folder: str, package: Mapping[str, Any]) -> bool:
    """Return True for Yarn 2 and later, whose files differ from those of the classic one."""
    named = package.get("packageManager")
    if isinstance(named, str) and named.startswith("yarn@"):
        return _BERRY.match(named) is not None
    return tree.has(folder, ".yarnrc.yml") is not None or "\n__metadata:" in tree.head(joined(folder, "yarn.lock"))


def _why(package: Mapping[str, Any], manager: str, lock: str | None) -> str:
    named = package.get("packageManager")
    if isinstance(named, str) and named.startswith(f"{manager}@"):
        return ", as packageManager in package.json says"
    return f", by {lock}" if lock else ""
