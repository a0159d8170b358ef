"""People read the field's standard words: in help, and in what errors advise."""

import argparse
import re
from collections.abc import Iterator

import pytest
import typer

from moonmind import errors
from moonmind.cli.exits import EPILOG
from moonmind.cli.main import app
from moonmind.cli.speckit import speckit_command

PRIVATE = re.compile(
    r"\b(hint\w*|mend\w*|land(s|ed|ing)?|somebody\w*|nobody\w*|anew|defects?|beat|enrol\w*)\b", re.IGNORECASE
)


def helps() -> Iterator[tuple[str, str]]:
    command = typer.main.get_command(app)
    commands = [command]
    for found in commands:
        commands += getattr(found, "commands", {}).values()
        yield f"moonmind {found.name}", f"{found.help} {found.epilog or EPILOG}"
        for parameter in found.params:
            yield f"moonmind {found.name} {parameter.name}", getattr(parameter, "help", None) or ""
    (subcommands,) = (one for one in speckit_command._parser()._actions if isinstance(one, argparse._SubParsersAction))
    for name in ("status", "next", "prompt", "tick", "untick", "reconcile", "doctor"):
        yield f"speckit {name}", subcommands.choices[name].format_help()


def advice() -> Iterator[tuple[str, str]]:
    kinds = [errors.MoonMindError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            yield kind.__name__, kind.remediation


TEXTS = dict([*helps(), *advice()])


@pytest.mark.parametrize("name", TEXTS)
def test_no_private_word_is_shown(name: str) -> None:
    found = PRIVATE.search(TEXTS[name])
    assert found is None, f"{name}: {found and found[0]!r} in {TEXTS[name]!r}"


@pytest.mark.parametrize("text", ["Land Spec Kit phases.", "Mend it.", "hints can be published", "nobody runs stages"])
def test_a_private_word_is_noticed(text: str) -> None:
    assert PRIVATE.search(text)
