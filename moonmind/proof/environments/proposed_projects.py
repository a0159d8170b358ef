"""Ecosystems that are recognised and only proposed: which toolchain they need, or what fetches all packages, is not certain."""

from collections.abc import Mapping

from moonmind.proof.environments.found_project import FoundProject, Search, TestCommand, nearest_above
from moonmind.proof.environments.project_tree import MOST_PROJECTS, ProjectTree

_OTHERS: Mapping[str, tuple[str, ...]] = {
    "composer.json": ("composer install",),
    "Gemfile": ("bundle install",),
    "pubspec.yaml": ("flutter pub get", "dart pub get"),
    "mix.exs": ("mix deps.get",),
    "Package.swift": (),
}
MANIFESTS = frozenset({"Cargo.toml", "build.gradle", "build.gradle.kts", "pom.xml", *_OTHERS})


def find_proposals(tree: ProjectTree) -> Search:
    """Find the uppermost folders with such files, of each kind."""
    found = [*_rust(tree), *_maven(tree), *_gradle(tree), *_dotnet(tree)]
    for name, commands in _OTHERS.items():
        found += _others(tree, name, commands)
    return Search(tuple(found))


def _uppermost(tree: ProjectTree, *names: str) -> list[str]:
    taken: list[str] = []
    for folder in tree.with_any(names):
        if nearest_above(folder, taken) is None:
            taken.append(folder)
        if len(taken) >= MOST_PROJECTS:
            break
    return taken


def _proposal(tree: ProjectTree, folder: str, ecosystem: str | None, tested_by: tuple[str, ...]) -> FoundProject:
    found = FoundProject(folder, ecosystem)
    found.tests += [
        TestCommand(one.command, one.source)
        for one in tree.commands(folder)
        if one.purpose == "test" and one.command.startswith(tested_by)
    ]
    return found


def _rust(tree: ProjectTree) -> list[FoundProject]:
    projects = []
    for folder in _uppermost(tree, "Cargo.toml"):
        found = _proposal(tree, folder, "crates", ("cargo ",))
        locked = tree.has(folder, "Cargo.lock")
        found.step(
            "cargo fetch --locked" if locked else "cargo fetch",
            locked or "Cargo.toml",
            "Cargo.lock pins the packages" if locked else "Cargo.toml names the packages; there is no Cargo.lock",
        )
        names = ("Cargo.lock", "rust-toolchain", "rust-toolchain.toml")
        found.key_files += ["Cargo.toml", *(name for name in names if tree.has(folder, name)), "**/Cargo.toml"]
        projects.append(found)
    return projects


def _maven(tree: ProjectTree) -> list[FoundProject]:
    projects = []
    for folder in _uppermost(tree, "pom.xml"):
        found = _proposal(tree, folder, "maven", ("mvn ", "./mvnw "))
        program = "./mvnw" if tree.has(folder, "mvnw") else "mvn"
        found.step(f"{program} -B dependency:go-offline", "pom.xml", "pom.xml names the packages")
        found.key_files += ["pom.xml", "**/pom.xml"]
        projects.append(found)
    return projects


def _gradle(tree: ProjectTree) -> list[FoundProject]:
    projects = []
    for folder in _uppermost(tree, "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"):
        if tree.has(folder.rpartition("/")[0], "pubspec.yaml"):
            continue  # Flutter's own
        found = _proposal(tree, folder, "maven", ("gradle ", "./gradlew "))
        program = "./gradlew" if tree.has(folder, "gradlew") else "gradle"
        source = tree.has(folder, "build.gradle.kts", "build.gradle", "settings.gradle.kts", "settings.gradle")
        found.step(
            f"{program} --no-daemon testClasses",
            source or "build.gradle",
            "compiling the tests fetches the packages; Gradle has no command for it",
        )
        found.key_files += ["**/*.gradle", "**/*.gradle.kts", "**/gradle.lockfile", "gradle/**", "gradle.properties"]
        projects.append(found)
    return projects


def _dotnet(tree: ProjectTree) -> list[FoundProject]:
    projects: dict[str, FoundProject] = {}
    for ending in ((".sln", ".slnx"), (".csproj", ".fsproj")):
        for folder in tree.folders:
            source = next((name for name in sorted(tree.names[folder]) if name.endswith(ending)), None)
            if len(projects) < MOST_PROJECTS and source is not None and nearest_above(folder, projects) is None:
                found = _proposal(tree, folder, None, ("dotnet ",))
                found.step("dotnet restore", source, f"{source} names the packages")
                found.key_files += [
                    "**/*.csproj",
                    "**/*.fsproj",
                    "**/packages.lock.json",
                    "**/Directory.Packages.props",
                ]
                projects[folder] = found
    return list(projects.values())


def _others(tree: ProjectTree, name: str, commands: tuple[str, ...]) -> list[FoundProject]:
    projects = []
    for folder in _uppermost(tree, name):
        shown = tree.commands(folder)
        found = FoundProject(folder, None)
        for one in shown:
            if one.purpose == "set up" and one.command in commands:
                found.step(one.command, name, f"{name} names the packages")
        found.tests += [
            TestCommand(one.command, one.source) for one in shown if one.purpose == "test" and one.source.endswith(name)
        ]
        locks = {
            "composer.json": "composer.lock",
            "Gemfile": "Gemfile.lock",
            "pubspec.yaml": "pubspec.lock",
            "mix.exs": "mix.lock",
        }
        lock = tree.has(folder, locks.get(name, "Package.resolved"))
        found.key_files += [name, *([lock] if lock else [])]
        if found.steps:
            projects.append(found)
    return projects
