"""The commands of a project for setting up, testing and checking, as its build files show them. None of them is run here."""

import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 20
"""Commands that are listed."""
MOST_FOLDERS = 6
LARGEST = 256 * 1024
"""Bytes of a build file that is looked into."""
_LONGEST_NAME = 1_000
"""Characters of a named path that is looked for."""

READ = frozenset(
    {"package.json", "pyproject.toml", "composer.json", "pubspec.yaml", "Makefile", "makefile", "GNUmakefile", "justfile",
     "Justfile", "Taskfile.yml", "Taskfile.yaml", "tox.ini", "setup.cfg", "Gemfile"}
)  # fmt: skip
"""The build files whose content counts; of all others it is enough that they are there."""

_SETUP, _TEST, _LINT, _BUILD = "set up", "test", "check", "build"
_ORDER = (_SETUP, _TEST, _LINT, _BUILD)


@dataclass(frozen=True, slots=True)
class FoundCommand:
    """A command, what it is for, and which file shows it."""

    purpose: str
    """`set up`, `test`, `check` or `build`."""
    command: str
    folder: str
    """Where it would be run; empty: the repository's root."""
    source: str
    """The path of the file that shows it."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """The names in one folder, with what can be read of them."""

    path: str
    names: frozenset[str]
    folders: frozenset[str]
    above: frozenset[str]
    """The names in the repository's root, where a workspace keeps its lock file."""
    text: Callable[[str], str]

    def has(self, *names: str) -> str | None:
        return next((name for name in names if name in self.names), None)

    def ending(self, *endings: str) -> str | None:
        return next((name for name in sorted(self.names) if name.endswith(endings)), None)

    def locked_by(self, name: str) -> bool:
        return name in self.names or name in self.above


_Found = Iterator[tuple[str, str, str]]
"""Purpose, command, name of the file that shows it."""


def commands_in(
    listing: Collection[str], folders: Iterable[str], read: Callable[[str], bytes | None]
) -> tuple[FoundCommand, ...]:
    """Return the commands of these folders and of the repository's root, by purpose, at most `MOST`.

    `listing` holds the tree's paths; `read` returns a file's content, None where it cannot be had.
    """
    wanted = list(dict.fromkeys((*folders, "")))[:MOST_FOLDERS]
    names, below = _names_in(listing, wanted)
    found: list[FoundCommand] = []
    for path in wanted:

        def text(name: str, path: str = path) -> str:
            data = read(f"{path}/{name}" if path else name)
            return data.decode("utf-8", "replace") if data is not None and len(data) <= LARGEST else ""

        folder = _Folder(path, frozenset(names[path]), frozenset(below[path]), frozenset(names.get("", ())), text)
        for purpose, command, source in _all(folder):
            found.append(FoundCommand(purpose, command, path, f"{path}/{source}" if path else source))
    found.sort(key=lambda one: _ORDER.index(one.purpose))
    return tuple(dict.fromkeys(found))[:MOST]


def folders_of(listing: Collection[str], root: str, named: Iterable[str]) -> tuple[str, ...]:
    """Return the folders with build files that matter: the project's root, and those nearest above the named paths."""
    homes = {path.rpartition("/")[0] for path in listing if _is_build_file(path.rpartition("/")[2])}
    found = {root: None} if root else {}
    for name in named:
        if len(name) > _LONGEST_NAME:
            continue
        below = [f"{root}/{name}"] if root and not name.startswith(f"{root}/") else []
        for path in (*below, name):
            nearest = path.rstrip("/")
            while nearest and nearest not in homes:
                nearest = nearest.rpartition("/")[0]
            if nearest:
                found.setdefault(nearest)
    return tuple(found)[:MOST_FOLDERS]


_BUILD_FILES = READ | {
    "Cargo.toml", "go.mod", "build.gradle", "build.gradle.kts", "pom.xml", "mix.exs", "Package.swift", "deno.json",
    "requirements.txt", "setup.py", "Pipfile", "manage.py",
}  # fmt: skip


def _is_build_file(name: str) -> bool:
    return name in _BUILD_FILES or name.endswith((".sln", ".csproj"))


def _names_in(listing: Iterable[str], folders: Collection[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    names: dict[str, set[str]] = {folder: set() for folder in folders}
    below: dict[str, set[str]] = {folder: set() for folder in folders}
    for path in listing:
        for folder in folders:
            rest = path.removeprefix(f"{folder}/") if folder else path
            if folder and rest == path:
                continue
            first, slash, more = rest.partition("/")
            if not slash:
                names[folder].add(first)
            else:
                below[folder].add(first)
                if first in {"script", "scripts", "bin", "spec", "test", "tests"} and "/" not in more:
                    names[folder].add(rest)
    return names, below


def _all(folder: _Folder) -> _Found:
    for finder in (_scripts, _targets, _node, _python, _php, _ruby, _dart, _dotnet, _java, _others):
        yield from finder(folder)


_SCRIPT = re.compile(r"(?:scripts?|bin)/(?P<name>bootstrap|setup|install|tests?|lint|check|ci)(?:\.sh)?")
_TARGET = re.compile(r"^(?P<name>[A-Za-z][\w.-]{0,40})(?:[ \t][\w.$(){} \t=\"'*+-]{0,80})?:(?!=)", re.MULTILINE)
_TASKFILE = re.compile(r"^  (?P<name>[A-Za-z][\w:-]{0,40}):", re.MULTILINE)
_PURPOSES = {
    _SETUP: r"bootstrap|setup|install(?:-dev)?|deps|dev-?setup|init",
    _TEST: r"(?:unit|integration|e2e)?[-_:]?tests?(?:[-_:](?:unit|ci|all|integration|e2e))?|check-test|spec",
    _LINT: r"lint(?:[-_:]\w+)?|check|checks|ci|verify|fmt|format|format[-_:]check|type-?check|types|mypy|analy[sz]e|phpstan|cs|stan|vet",
    _BUILD: r"build|compile",
}
_PURPOSE = {purpose: re.compile(words, re.IGNORECASE) for purpose, words in _PURPOSES.items()}


def _purpose(name: str) -> str | None:
    return next((purpose for purpose, pattern in _PURPOSE.items() if pattern.fullmatch(name)), None)


def _named(names: Iterable[str], command: str, source: str) -> _Found:
    for name in dict.fromkeys(names):
        if (purpose := _purpose(name)) is not None:
            yield purpose, command.format(name=name), source


def _scripts(folder: _Folder) -> _Found:
    for name in sorted(folder.names):
        if match := _SCRIPT.fullmatch(name):
            yield _purpose(match["name"]) or _LINT, name, name


def _targets(folder: _Folder) -> _Found:
    for source, command in (
        ("Makefile", "make {name}"), ("makefile", "make {name}"), ("GNUmakefile", "make {name}"),
        ("justfile", "just {name}"), ("Justfile", "just {name}"),
    ):  # fmt: skip
        if source in folder.names:
            yield from _named((match["name"] for match in _TARGET.finditer(folder.text(source))), command, source)
    if taskfile := folder.has("Taskfile.yml", "Taskfile.yaml"):
        tasks = folder.text(taskfile).partition("\ntasks:")[2]
        yield from _named((match["name"] for match in _TASKFILE.finditer(tasks)), "task {name}", taskfile)


def _node(folder: _Folder) -> _Found:
    if "package.json" in folder.names:
        package = read_json(folder.text("package.json"))
        manager = _node_manager(folder, package)
        lock = folder.locked_by("package-lock.json") or folder.locked_by("npm-shrinkwrap.json")
        setup = {"npm": "npm ci" if lock else "npm install", "pnpm": "pnpm install --frozen-lockfile"}
        yield _SETUP, setup.get(manager, f"{manager} install"), "package.json"
        scripts = package.get("scripts")
        written = {
            name: words
            for name, words in (scripts.items() if isinstance(scripts, dict) else ())
            if isinstance(words, str) and "no test specified" not in words
        }
        yield from _named(written, f"{manager} run {{name}}", "package.json")
    if name := folder.has("deno.json", "deno.jsonc"):
        yield _TEST, "deno test", name
        yield _LINT, "deno lint", name


def _node_manager(folder: _Folder, package: Mapping[str, Any]) -> str:
    named = package.get("packageManager")
    declared = named.partition("@")[0] if isinstance(named, str) else ""
    if declared in {"npm", "pnpm", "yarn", "bun"}:
        return declared
    locks = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun"}
    own = next((manager for lock, manager in locks.items() if lock in folder.names), None)
    if own or folder.has("package-lock.json", "npm-shrinkwrap.json"):
        return own or "npm"
    return next((manager for lock, manager in locks.items() if lock in folder.above), "npm")


def _python(folder: _Folder) -> _Found:
    project = read_toml(folder.text("pyproject.toml")) if "pyproject.toml" in folder.names else {}
    tools = project.get("tool")
    tool = tools if isinstance(tools, dict) else {}
    prefix = ""
    if folder.has("uv.lock"):
        prefix = "uv run "
        yield _SETUP, "uv sync", "uv.lock"
    elif folder.has("poetry.lock") or "poetry" in tool:
        prefix = "poetry run "
        yield _SETUP, "poetry install", folder.has("poetry.lock") or "pyproject.toml"
    elif folder.has("pdm.lock"):
        prefix = "pdm run "
        yield _SETUP, "pdm install", "pdm.lock"
    elif folder.has("Pipfile"):
        prefix = "pipenv run "
        yield _SETUP, "pipenv install --dev", "Pipfile"
    else:
        yield from _pip(folder, project)
    yield from _python_tests(folder, project, tool, prefix)
    for name, command, files in (
        ("ruff", "ruff check .", ("ruff.toml", ".ruff.toml")),
        ("black", "black --check .", ()),
        ("mypy", "mypy .", ("mypy.ini", ".mypy.ini")),
        ("pyright", "pyright", ("pyrightconfig.json",)),
        ("flake8", "flake8", (".flake8",)),
    ):
        if source := folder.has(*files) or ("pyproject.toml" if name in tool else None):
            yield _LINT, f"{prefix}{command}", source


def _pip(folder: _Folder, project: Mapping[str, Any]) -> _Found:
    for name in sorted(folder.names):
        if re.fullmatch(r"(?:dev-|test-)?requirements(?:[-_](?:dev|test|tests))?\.txt", name):
            yield _SETUP, f"pip install -r {name}", name
    about = project.get("project")
    if isinstance(about, dict):
        extras = about.get("optional-dependencies")
        known = [name for name in ("dev", "test", "tests") if isinstance(extras, dict) and name in extras]
        yield _SETUP, f"pip install -e '.[{','.join(known)}]'" if known else "pip install -e .", "pyproject.toml"
    elif folder.has("setup.py"):
        yield _SETUP, "pip install -e .", "setup.py"


def _python_tests(folder: _Folder, project: Mapping[str, Any], tool: Mapping[str, Any], prefix: str) -> _Found:
    if name := folder.has("tox.ini"):
        yield _TEST, f"{prefix}tox", name
    if name := folder.has("noxfile.py"):
        yield _TEST, f"{prefix}nox", name
    sure = folder.has("pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py")
    if not sure and ("pytest" in tool or (project and "pytest" in folder.text("pyproject.toml"))):
        sure = "pyproject.toml"
    if not sure and folder.has("setup.cfg") and "tool:pytest" in folder.text("setup.cfg"):
        sure = "setup.cfg"
    if sure:
        yield _TEST, f"{prefix}pytest", sure
    elif folder.has("manage.py"):
        yield _TEST, f"{prefix}python manage.py test", "manage.py"
    elif name := next((one for one in sorted(folder.names) if re.fullmatch(r"tests?/test_\w+\.py", one)), None):
        yield _TEST, f"{prefix}python -m pytest", name


def _php(folder: _Folder) -> _Found:
    if "composer.json" not in folder.names:
        return
    yield _SETUP, "composer install", "composer.json"
    scripts = read_json(folder.text("composer.json")).get("scripts")
    yield from _named(scripts if isinstance(scripts, dict) else (), "composer run {name}", "composer.json")
    if folder.has("artisan"):
        yield _TEST, "php artisan test", "artisan"
    elif name := folder.has("phpunit.xml", "phpunit.xml.dist"):
        yield _TEST, "vendor/bin/phpunit", name


def _ruby(folder: _Folder) -> _Found:
    if "Gemfile" not in folder.names:
        return
    yield _SETUP, "bundle install", "Gemfile"
    if "spec" in folder.folders or ".rspec" in folder.names:
        yield _TEST, "bundle exec rspec", ".rspec" if ".rspec" in folder.names else "Gemfile"
    elif "bin/rails" in folder.names:
        yield _TEST, "bin/rails test", "bin/rails"
    elif folder.has("Rakefile"):
        yield _TEST, "bundle exec rake test", "Rakefile"
    if folder.has(".rubocop.yml"):
        yield _LINT, "bundle exec rubocop", ".rubocop.yml"


def _dart(folder: _Folder) -> _Found:
    if "pubspec.yaml" not in folder.names:
        return
    flutter = re.search(r"^[ \t]*sdk:[ \t]*flutter\b|^flutter:", folder.text("pubspec.yaml"), re.MULTILINE) is not None
    tool = "flutter" if flutter else "dart"
    yield _SETUP, f"{tool} pub get", "pubspec.yaml"
    yield _TEST, f"{tool} test", "pubspec.yaml"
    yield _LINT, f"{tool} analyze", "pubspec.yaml"


def _dotnet(folder: _Folder) -> _Found:
    if name := folder.ending(".sln", ".slnx") or folder.ending(".csproj", ".fsproj"):
        yield _SETUP, "dotnet restore", name
        yield _BUILD, "dotnet build", name
        yield _TEST, "dotnet test", name


def _java(folder: _Folder) -> _Found:
    if name := folder.has("build.gradle.kts", "build.gradle"):
        gradle = "./gradlew" if "gradlew" in folder.names else "gradle"
        yield _TEST, f"{gradle} test", name
        yield _LINT, f"{gradle} check", name
    if name := folder.has("pom.xml"):
        yield _TEST, f"{'./mvnw' if 'mvnw' in folder.names else 'mvn'} test", name


_PLAIN: tuple[tuple[str, str, str], ...] = (
    ("Cargo.toml", _SETUP, "cargo fetch"), ("Cargo.toml", _TEST, "cargo test"), ("Cargo.toml", _LINT, "cargo clippy --all-targets"),
    ("go.mod", _SETUP, "go mod download"), ("go.mod", _TEST, "go test ./..."), ("go.mod", _LINT, "go vet ./..."),
    (".golangci.yml", _LINT, "golangci-lint run"), (".golangci.yaml", _LINT, "golangci-lint run"),
    ("mix.exs", _SETUP, "mix deps.get"), ("mix.exs", _TEST, "mix test"),
    ("Package.swift", _TEST, "swift test"), ("build.sbt", _TEST, "sbt test"), ("stack.yaml", _TEST, "stack test"),
    (".pre-commit-config.yaml", _LINT, "pre-commit run --all-files"),
)  # fmt: skip


def _others(folder: _Folder) -> _Found:
    for name, purpose, command in _PLAIN:
        if name in folder.names:
            yield purpose, command, name


def read_json(text: str) -> Mapping[str, Any]:
    """Return the object that a text holds; empty where it holds none, or cannot be read."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_MOST_DOTS = 50
"""In one line outside of strings: what reading a dotted key costs grows with the square of its parts."""
_NO_KEYS = re.compile(
    r"#[^\n]*"
    r'|"""(?:[^"\\]++|\\.|"(?!""))*"{0,5}'
    r"|'{3}(?:[^']++|'(?!''))*'{0,5}"
    r'|"(?:[^"\\\n]++|\\.)*"?'
    r"|'[^'\n]*+'?",
    re.DOTALL,
)
"""Comments and strings of TOML."""


def read_toml(text: str) -> Mapping[str, Any]:
    """Return what a text holds; empty where it cannot be read, or not soon."""
    if any(line.count(".") > _MOST_DOTS for line in _NO_KEYS.sub("", text).split("\n")):
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}
