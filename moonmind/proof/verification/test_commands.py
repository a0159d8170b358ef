"""The commands that show whether a change works: those of `.moonmind.yml`, else those that the build files show."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from moonmind.proof.path_globs import PathPatterns
from moonmind.proof.recipe import RecipeFile
from moonmind.proof.verification.test_runners import Runner, runner_of, script_called
from moonmind.speckit.project_commands import FoundCommand, commands_in, folders_of, read_json

_TEST = "test"
_DOCUMENTS = (
    ".md", ".mdx", ".markdown", ".rst", ".adoc", ".asciidoc", ".txt", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf",
    ".drawio",
)  # fmt: skip
_PREFIXES = ("uv run ", "poetry run ")
"""What an environment's PATH makes needless, and what could try to install something."""

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class TestCommand:
    """A command that is run on a tree."""

    __test__ = False

    name: str
    run: str
    """For a shell."""
    root: str = "."
    reports: tuple[str, ...] = ()
    """Patterns, from the root, of JUnit XML that it writes into the checkout."""
    paths: tuple[str, ...] | None = None
    """Patterns, from the repository's root, of what it is for; None: every change."""
    timeout: int | None = None
    """Seconds."""
    source: str = ""
    """The file that shows it; empty where `.moonmind.yml` names it."""
    script: str = ""
    """The words of the package's script that it calls, if it calls one."""
    script_alone: bool = False
    """Nothing is run before that script."""
    jest_junit: bool = False
    """The package brings a reporter for jest that writes JUnit XML."""

    def concerns(self, changed: Iterable[str]) -> bool:
        """Return True if a change of these paths has to be run through it.

        What was only detected is not run for documents alone.
        """
        paths = tuple(changed)
        if self.paths is not None:
            patterns = PathPatterns(self.paths)
            return any(patterns.match(path) for path in paths)
        return not self.source or any(not path.casefold().endswith(_DOCUMENTS) for path in paths)


@dataclass(frozen=True, slots=True)
class TestPlan:
    """What would be run."""

    __test__ = False

    commands: tuple[TestCommand, ...] = ()
    declared: bool = False
    """`.moonmind.yml` says so; otherwise it was detected."""

    def concerning(self, changed: Collection[str]) -> tuple[TestCommand, ...]:
        """Return the commands that a change of these paths has to be run through."""
        return tuple(one for one in self.commands if one.concerns(changed))


def plan_tests(
    recipe: RecipeFile | None, listing: Collection[str], root: str, changed: Iterable[str], read: Read
) -> TestPlan:
    """Return what is run for a change of these paths; `root` is the folder of the feature's project, empty for the repository's.

    `read` returns the content of a build file, None where it cannot be had.
    """
    if recipe is not None and recipe.verify is not None:
        written = (
            TestCommand(one.label, one.run, one.root, one.reports or (), one.paths, one.timeout)
            for one in recipe.verify
        )
        return TestPlan(tuple(_with_script(one, read) for one in written), declared=True)
    folders = folders_of(listing, root, changed)
    found: dict[str, list[FoundCommand]] = {}
    for one in commands_in(listing, folders, read):
        if one.purpose == _TEST:
            found.setdefault(one.folder, []).append(one)
    # The root's own tests are those of the whole, unless the changed parts have some of their own.
    wanted = [folder for folder in found if folder] or list(found)
    return TestPlan(tuple(_detected(found[folder], read) for folder in wanted))


def _detected(found: list[FoundCommand], read: Read) -> TestCommand:
    """Return the one of a folder's test commands that tells the most: whose runner is known, else the first."""
    commands = []
    for one in found:
        run = _without_prefix(one.command)
        name = run if not one.folder else f"{run} in {one.folder}"
        commands.append(_with_script(TestCommand(name, run, one.folder or ".", source=one.source), read))
    return next((one for one in commands if runner_of(one.run, one.script) is not None), commands[0])


def _with_script(command: TestCommand, read: Read) -> TestCommand:
    """Return the command with what the package says of it: of the script that it calls, and of jest's reporter."""
    called = script_called(command.run)
    if called is None and runner_of(command.run) is not Runner.JEST:
        return command
    data = read("package.json" if command.root == "." else f"{command.root}/package.json")
    package = read_json((data or b"").decode("utf-8", "replace"))
    scripts = package.get("scripts")
    words = scripts.get(called) if called is not None and isinstance(scripts, dict) else None
    needed = (package.get(name) for name in ("devDependencies", "dependencies"))
    has_reporter = any(isinstance(one, dict) and "jest-junit" in one for one in needed)
    alone = called is not None and isinstance(scripts, dict) and f"pre{called}" not in scripts
    text = words if isinstance(words, str) else ""
    return replace(command, script=text, script_alone=alone, jest_junit=has_reporter)


def _without_prefix(command: str) -> str:
    return next((command.removeprefix(prefix) for prefix in _PREFIXES if command.startswith(prefix)), command)
