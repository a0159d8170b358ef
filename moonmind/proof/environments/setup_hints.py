"""What other files say of setting a repository up: proposed to people, and never taken."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moonmind.proof.bounded_yaml import YamlRefused, read_yaml
from moonmind.proof.environments.jsonc import read_jsonc
from moonmind.proof.environments.project_tree import ProjectTree, joined
from moonmind.proof.recipe_rules import command_problem, image_problem

MOST_HINTS = 20
MOST_COMMANDS = 20
"""Of one hint."""
_COPILOT_JOB = "copilot-setup-steps"
_TARGETS = ("make ", "just ", "task ")
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
_DOCKERFILE = re.compile(r"(?:Dockerfile|Containerfile)(?:\.[\w-]+)?|[\w-]+\.(?:Dockerfile|dockerfile)")
_VERSIONS = (
    ".tool-versions",
    "mise.toml",
    ".mise.toml",
    ".python-version",
    ".nvmrc",
    ".node-version",
    ".java-version",
    ".ruby-version",
)


@dataclass(frozen=True, slots=True)
class SetupHint:
    """A file that says something of it."""

    source: str
    says: str
    """What it is, in words of ours."""
    commands: tuple[str, ...] = ()
    """Hostile text."""
    image: str | None = None


def find_hints(tree: ProjectTree) -> tuple[SetupHint, ...]:
    """Return what the files say, at most `MOST_HINTS`."""
    found = [*_copilot(tree), *_devcontainers(tree), *_targets(tree), *_containers(tree), *_versions(tree)]
    return tuple(found[:MOST_HINTS])


def _copilot(tree: ProjectTree) -> Iterator[SetupHint]:
    for name in ("copilot-setup-steps.yml", "copilot-setup-steps.yaml"):
        source = f".github/workflows/{name}"
        if not tree.has(".github/workflows", name):
            continue
        try:
            whole = read_yaml(tree.text(source).encode("utf-8", "replace"))
        except YamlRefused as error:
            where = "" if error.line is None else f"line {error.line}: "
            yield SetupHint(source, f"setup steps for Copilot; not read: {where}{error.text}")
            continue
        steps = () if whole is None else whole.at("jobs", _COPILOT_JOB, "steps").value
        listed = [step for step in steps if isinstance(step, dict)] if isinstance(steps, tuple) else []
        actions = sum(isinstance(step.get("uses"), str) for step in listed)
        says = "setup steps for Copilot" + (
            f", with {actions} action{'s' if actions > 1 else ''} besides" if actions else ""
        )
        yield SetupHint(source, says, _commands(step.get("run") for step in listed))


def _devcontainers(tree: ProjectTree) -> Iterator[SetupHint]:
    folders = ["", ".devcontainer", *sorted(one for one in tree.names if re.fullmatch(r"\.devcontainer/[^/]+", one))]
    for folder in folders:
        name = "devcontainer.json" if folder else ".devcontainer.json"
        if not tree.has(folder, name):
            continue
        source = joined(folder, name)
        content = read_jsonc(tree.text(source))
        image = content.get("image")
        build = content.get("build")
        says = (
            "a development container" if content else "a development container; not read: it is no JSON, or too large"
        )
        if isinstance(content.get("dockerComposeFile"), str | list):
            says += ", made by Compose"
        elif isinstance(build, dict) or "dockerFile" in content:
            says += ", built from a Dockerfile"
        keys = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
        yield SetupHint(
            source,
            says,
            _commands(one for key in keys for one in _devcontainer_commands(content.get(key))),
            image if isinstance(image, str) and image_problem(image) is None else None,
        )


def _devcontainer_commands(given: Any) -> Iterator[Any]:
    """List the commands of a text, of a list of words, or of an object of such, which run side by side."""
    if isinstance(given, dict):
        for one in given.values():
            if not isinstance(one, dict):
                yield from _devcontainer_commands(one)
    elif isinstance(given, list):
        yield " ".join(one for one in given if isinstance(one, str))
    else:
        yield given


def _targets(tree: ProjectTree) -> Iterator[SetupHint]:
    """Targets of Make and the like, and scripts, that are called as if they set up or test."""
    by_source: dict[str, list[str]] = {}
    for one in tree.commands(""):
        if one.purpose in {"set up", "test"} and (one.command.startswith(_TARGETS) or one.command == one.source):
            by_source.setdefault(one.source, []).append(one.command)
    for source, commands in by_source.items():
        says = "a script" if commands == [source] else "targets that may set up or test"
        yield SetupHint(source, says, tuple(commands[:MOST_COMMANDS]))


def _containers(tree: ProjectTree) -> Iterator[SetupHint]:
    """One hint for all files of a kind."""
    for pattern, says in (
        (_DOCKERFILE, "an image is built from it; not read"),
        (_COMPOSE, "services of Compose, which tests may need; not read"),
    ):
        found = [
            joined(folder, name)
            for folder in tree.folders
            for name in sorted(tree.names[folder])
            if pattern.fullmatch(name)
        ]
        if found:
            others = found[1:MOST_COMMANDS]
            yield SetupHint(found[0], f"{says}; also {', '.join(others)}" if others else says)


def _versions(tree: ProjectTree) -> Iterator[SetupHint]:
    for name in _VERSIONS:
        if tree.has("", name):
            text = " ".join(tree.text(name).split())
            if text and len(text) <= 200 and command_problem(text) is None:
                yield SetupHint(name, f"asks for {text}")


def _commands(given: Iterable[Any]) -> tuple[str, ...]:
    texts = (one.strip() for one in given if isinstance(one, str))
    return tuple(text for text in texts if command_problem(text) is None)[:MOST_COMMANDS]
