"""What a test command runs that a change can replace: scripts of a package, targets of a Makefile, files that it names."""

import json
import posixpath
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from moonmind.proof.verification.tampering import FileChange
from moonmind.proof.verification.test_commands import TestCommand
from moonmind.proof.verification.test_runners import script_called
from moonmind.speckit.evidence import is_test

_LARGEST = 512 * 1024
_WORD = re.compile(r"[\w./:@-]+")
_READ_BY: Mapping[str, tuple[str, ...]] = {
    "Makefile": ("make",), "makefile": ("make",), "GNUmakefile": ("make",), "justfile": ("just",), "Justfile": ("just",),
    ".justfile": ("just",), "Taskfile.yml": ("task",), "Taskfile.yaml": ("task",), "tox.ini": ("tox",), "tox.toml": ("tox",),
    "noxfile.py": ("nox",), "Rakefile": ("rake",), "manage.py": ("manage.py",), "hatch.toml": ("hatch",),
    "docker-compose.yml": ("docker", "docker-compose"), "compose.yaml": ("docker", "docker-compose"),
}  # fmt: skip
"""Files that say what these programs run."""
_SCRIPT_FILES: Mapping[str, tuple[frozenset[str], str]] = {
    "package.json": (frozenset({"npm", "pnpm", "yarn", "bun", "npx", "node"}), "scripts"),
    "composer.json": (frozenset({"composer"}), "scripts"),
    "deno.json": (frozenset({"deno"}), "tasks"),
}
_TABLES: Mapping[str, tuple[str, ...]] = {
    "poe": ("poe", "tasks"), "pdm": ("pdm", "scripts"), "hatch": ("hatch", "envs"), "tox": ("tox",), "task": ("taskipy", "tasks"),
    "rye": ("rye", "scripts"), "pixi": ("pixi", "tasks"), "nox": ("nox",),
}  # fmt: skip
"""Where below `tool` in pyproject.toml these programs find what they run."""
_TEST_CODE = (".py", ".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx", ".go")


def may_replace(command: TestCommand, path: str) -> bool:
    """Return True for a file that a command may run, by its name."""
    name = posixpath.basename(path)
    words = set(_WORD.findall(f"{command.run} {command.script}"))
    inside = _inside(command, path)
    return (
        name in _READ_BY
        or name in _SCRIPT_FILES
        or name == "pyproject.toml"
        or not words.isdisjoint({inside, f"./{inside}"})
    )


def replaced_in(command: TestCommand, change: FileChange, *, worked: bool) -> str:
    """Return what of a change makes the command another one, in words; empty where nothing does.

    `worked` says that the command ran tests before the change: what is added to it then takes the place of something.
    """
    inside = _inside(command, change.path)
    name = posixpath.basename(inside)
    words = set(_WORD.findall(f"{command.run} {command.script}"))
    if name in _SCRIPT_FILES and posixpath.dirname(inside) == "":
        programs, key = _SCRIPT_FILES[name]
        return _other_script(command, change, key) if not programs.isdisjoint(words) else ""
    if name == "pyproject.toml" and inside == name:
        return _other_table(change, words, worked)
    if change.before is None and not worked:
        return ""
    reads = not words.isdisjoint(_READ_BY.get(name, ())) and (change.before is not None or inside == name)
    if not ({inside, f"./{inside}"} & words and change.before is not None) and not reads:
        return ""
    if is_test(change.path) and inside.endswith(_TEST_CODE):
        return ""  # a file of tests that the command names
    return f"the command `{command.name}` runs it, and it is another one now"


def _inside(command: TestCommand, path: str) -> str:
    """Return the path from the folder that the command runs in; files above may be read from there, too."""
    if command.root == "." or not path.startswith(f"{command.root}/"):
        return path
    return path.removeprefix(f"{command.root}/")


def _other_script(command: TestCommand, change: FileChange, key: str) -> str:
    """Return which of the scripts that a command calls is another one now: itself, by others, or before and after these."""
    old, new = _scripts(change.before, key), _scripts(change.after, key)
    for name in _called(command, old):
        if name in old and new.get(name) != old[name]:
            return f"its script `{name}`, which the command `{command.name}` calls, is another one now"
        for around in (f"pre{name}", f"post{name}"):
            if name in old and new.get(around) != old.get(around):
                return f"its script `{around}` runs with the command `{command.name}`, and is another one now"
    return ""


def _called(command: TestCommand, scripts: Mapping[str, str]) -> Iterator[str]:
    """Yield the scripts that a command may call, whatever program it calls them by."""
    waiting, seen = [f"{command.run} {script_called(command.run) or ''}"], set[str]()
    while waiting:
        for word in _WORD.findall(waiting.pop()):
            if word in scripts and word not in seen:
                seen.add(word)
                yield word
                waiting.append(scripts[word])


def _scripts(content: bytes | None, key: str) -> dict[str, str]:
    try:
        found = json.loads(content or b"{}") if len(content or b"") <= _LARGEST else {}
    except (ValueError, RecursionError):
        return {}
    scripts = found.get(key) if isinstance(found, dict) else None
    return {name: json.dumps(words) for name, words in scripts.items()} if isinstance(scripts, dict) else {}


def _other_table(change: FileChange, words: Collection[str], worked: bool) -> str:
    for program in sorted(_TABLES.keys() & set(words)):
        old, new = _table(change.before, program), _table(change.after, program)
        if old != new and (old is not None or worked):
            return f"what `{program}` runs is another one now"
    return ""


def _table(content: bytes | None, program: str) -> Any:
    try:
        found: Any = tomllib.loads((content or b"").decode("utf-8")) if len(content or b"") <= _LARGEST else {}
    except (ValueError, RecursionError):
        return None
    for name in ("tool", *_TABLES[program]):
        found = found.get(name) if isinstance(found, dict) else None
    return found
