"""Python: uv, Poetry, PDM and Pipenv where their files are, else a virtual environment and pip."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from moonmind.proof.environments.found_project import FoundProject, Search, TestCommand, nearest_above, shown_folder
from moonmind.proof.environments.project_tree import MOST_PROJECTS, ProjectTree, joined, usable_patterns
from moonmind.proof.path_globs import PathPatterns, literal
from moonmind.speckit.project_commands import FoundCommand, read_toml

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
REQUIREMENTS = re.compile(r"(?:[\w.-]+[-_])?requirements(?:[-_][\w.-]+)?\.txt")
MANIFESTS = frozenset({*LOCKS, "pyproject.toml", "setup.py", "Pipfile"})
_VENV = ".venv"
_EXTRAS = ("dev", "test", "tests", "testing")
_FOLDER_LISTS = ("dev.txt", "test.txt", "tests.txt", "development.txt", "testing.txt", "local.txt")
"""Of a folder `requirements`: the first of these, which include the others by custom."""
_MANAGERS = {
    "uv sync": ("uv.lock", "uv.lock pins the packages"),
    "poetry install": ("poetry.lock", "poetry.lock pins the packages"),
    "pdm install": ("pdm.lock", "pdm.lock pins the packages"),
    "pipenv install --dev": ("Pipfile.lock", "Pipfile.lock pins the packages"),
}
_INCLUDED = re.compile(
    r"^[ \t]*(?:-[rc]|--(?:requirement|constraint))[ \t=]*(?P<name>[\w./-]{1,200})[ \t]*(?:#|$)", re.MULTILINE
)
_MOST_LISTS = 20
_NEEDS_NETWORK = ("tox", "nox")


def find_python(tree: ProjectTree) -> Search:
    """Find the projects, each with its commands; a folder below another one counts where it has a lock file of its own."""
    projects: dict[str, FoundProject] = {}
    notes: list[str] = []
    aside: list[str] = []
    members: dict[str, PathPatterns] = {}
    for folder in tree.folders:
        if not _is_project(tree, folder):
            continue
        above = nearest_above(folder, projects)
        if above is not None and tree.has(folder, *LOCKS) is None:
            if joined(above, "requirements") != folder and not members[above].match(folder):
                aside.append(folder)
            continue
        if len(projects) >= MOST_PROJECTS:
            break
        projects[folder] = _project(tree, folder)
        members[folder] = _members(tree, folder)
    if aside:
        notes.append(
            f"Python files without a lock file below another project's folder are not installed: {_listed(aside)}"
        )
    return Search(tuple(projects.values()), tuple(notes))


def _listed(folders: list[str], most: int = 5) -> str:
    more = f" and {len(folders) - most} more" if len(folders) > most else ""
    return f"{', '.join(map(shown_folder, folders[:most]))}{more}"


def _is_project(tree: ProjectTree, folder: str) -> bool:
    if tree.has(folder, *LOCKS, "setup.py", "Pipfile") or _requirements(tree, folder):
        return True
    return "pyproject.toml" in tree.names[folder] and _says_what_it_needs(_pyproject(tree, folder))


def _pyproject(tree: ProjectTree, folder: str) -> Mapping[str, Any]:
    return read_toml(tree.text_in(folder, "pyproject.toml"))


def _says_what_it_needs(pyproject: Mapping[str, Any]) -> bool:
    """Return False for a pyproject.toml that only configures tools."""
    tool = _table(pyproject, "tool")
    return any(isinstance(pyproject.get(name), dict) for name in ("project", "build-system", "dependency-groups")) or (
        "poetry" in tool
    )


def _table(whole: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = whole.get(name)
        if not isinstance(found, dict):
            return {}
        whole = found
    return whole


def _requirements(tree: ProjectTree, folder: str) -> list[str]:
    """Return the lists of packages, what all need first: `requirements.txt`, `requirements-dev.txt`, `requirements/dev.txt`."""
    here = sorted(
        (name for name in tree.names[folder] if REQUIREMENTS.fullmatch(name)), key=lambda name: (len(name), name)
    )
    listed = [name for name in here if _for_tests(name)]
    below = joined(folder, "requirements")
    inner = tree.has(below, *_FOLDER_LISTS) or (None if listed else tree.has(below, "base.txt", "requirements.txt"))
    return [*listed, *([f"requirements/{inner}"] if inner else [])]


def _for_tests(name: str) -> bool:
    kinds = set(re.split(r"[-_.]", name.removesuffix(".txt"))) - {"requirements"}
    return kinds <= {"dev", "test", "tests", "testing", "develop", "development"}


def _project(tree: ProjectTree, folder: str) -> FoundProject:
    found = FoundProject(folder, "pypi")
    pyproject = _pyproject(tree, folder)
    commands = tree.commands(folder)
    manager = next((one.command for one in commands if one.command in _MANAGERS), None)
    if manager is None:
        _pip(found, tree, pyproject, commands)
    else:
        lock, because = _MANAGERS[manager]
        source = lock if tree.has(folder, lock) else "Pipfile" if manager.startswith("pipenv") else "pyproject.toml"
        if source != lock:
            because = f"{source} asks for it"
            found.notes.append(f"there is no {lock}: which versions are installed depends on the day")
        extras = _extras(pyproject) if manager == "uv sync" else []
        if manager == "uv sync":  # which would write the lock file where it does not fit any more
            manager = "uv sync --frozen"
        found.step(" ".join([manager, *(f"--extra {name}" for name in extras)]), source, because)
    names = ("pyproject.toml", *LOCKS, "Pipfile", "setup.py", "setup.cfg", ".python-version")
    found.key_files += [name for name in names if tree.has(folder, name)]
    found.key_files += _workspace_files(tree, folder)
    found.tests += _tests(found, commands, own_venv=manager is None)
    if found.tests and "pytest" in found.tests[0].command and not _names_pytest(tree, found):
        found.notes.append("no list of packages names pytest, which the tests need")
    return found


def _extras(pyproject: Mapping[str, Any]) -> list[str]:
    extras = _table(pyproject, "project", "optional-dependencies")
    return [name for name in _EXTRAS if name in extras]


def _pip(
    found: FoundProject, tree: ProjectTree, pyproject: Mapping[str, Any], commands: tuple[FoundCommand, ...]
) -> None:
    folder, lists = found.folder, _requirements(tree, found.folder)
    wanted = [word for name in lists for word in ("-r", name)]
    itself = next((one for one in commands if one.command.startswith("pip install -e ")), None)
    if itself is not None:
        wanted += shlex.split(itself.command.removeprefix("pip install "))
    elif isinstance(pyproject.get("build-system"), dict) and not isinstance(pyproject.get("project"), dict):
        wanted += ["-e", "."]
    groups = [name for name in _EXTRAS if name in _table(pyproject, "dependency-groups")]
    wanted += [word for name in groups for word in ("--group", name)]
    source = lists[0] if lists else "setup.py" if tree.has(folder, "setup.py") and itself is None else "pyproject.toml"
    if itself is not None and not lists:
        source = itself.source.rpartition("/")[2]
    found.step(f"python3 -m venv {_VENV}", source, "pip installs into a folder of its own")
    if groups:
        found.step(f"{_VENV}/bin/pip install --upgrade pip", "pyproject.toml", "only pip 25.1 and later know --group")
    because = f"{', '.join(lists)} lists the packages" if lists else f"{source} names the packages"
    if wanted:
        found.step(shlex.join([f"{_VENV}/bin/pip", "install", *wanted]), source, because)
    found.notes.append("there is no lock file: which versions are installed depends on the day")
    included = _with_included(tree, folder, lists)
    every = sorted(name for name in tree.names[folder] if REQUIREMENTS.fullmatch(name))
    if others := [name for name in every if literal(name) not in included]:
        found.notes.append(f"not installed, as they are neither for all nor for tests: {', '.join(others[:5])}")
    found.key_files += included


def _with_included(tree: ProjectTree, folder: str, lists: list[str]) -> list[str]:
    """Add the lists that lists include, as far as they are below the folder."""
    found: dict[str, None] = dict.fromkeys(lists)
    waiting = list(lists)
    while waiting and len(found) < _MOST_LISTS:
        name = waiting.pop()
        home = name.rpartition("/")[0]
        for match in _INCLUDED.finditer(tree.text(joined(folder, name))):
            other = _plain(joined(home, match["name"]))
            place, _, last = joined(folder, other or "").rpartition("/")
            if other and other not in found and tree.has(place, last) and len(found) < _MOST_LISTS:
                found[other] = None
                waiting.append(other)
    return [literal(name) for name in found]


def _plain(path: str) -> str | None:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _members(tree: ProjectTree, folder: str) -> PathPatterns:
    return PathPatterns(joined(literal(folder), pattern) for pattern in _member_patterns(tree, folder))


def _member_patterns(tree: ProjectTree, folder: str) -> tuple[str, ...]:
    return usable_patterns(_table(_pyproject(tree, folder), "tool", "uv", "workspace").get("members"))


def _workspace_files(tree: ProjectTree, folder: str) -> list[str]:
    return [f"{pattern}/pyproject.toml" for pattern in _member_patterns(tree, folder)]


def _tests(found: FoundProject, commands: tuple[FoundCommand, ...], *, own_venv: bool) -> list[TestCommand]:
    shown = [
        one
        for one in commands
        if one.purpose == "test" and re.search(r"(?:^| )(?:pytest|python|tox|nox)(?: |$)", one.command)
    ]
    offline = [one for one in shown if one.command.split()[-1] not in _NEEDS_NETWORK]
    if shown and not offline:
        found.notes.append(
            f"{shown[0].source}: {shown[0].command} installs packages itself, and needs a network for that"
        )
    return [
        TestCommand(_in_venv(one.command) if own_venv else _as_installed(one.command), one.source) for one in offline
    ]


def _as_installed(command: str) -> str:
    return command.replace("uv run ", "uv run --no-sync ", 1) if command.startswith("uv run ") else command


def _in_venv(command: str) -> str:
    words = command.removeprefix("python ")
    return f"{_VENV}/bin/python {words if words != command else f'-m {command}'}"


def _names_pytest(tree: ProjectTree, found: FoundProject) -> bool:
    names = (name for name in found.key_files if name not in LOCKS and "*" not in name and "[" not in name)
    places = [joined(found.folder, name) for name in names]
    return any("pytest" in tree.text(place) for place in places)
