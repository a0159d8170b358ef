"""The command `speckit`: what MoonMind reads in a folder's Spec Kit files, without a server or a repository.

0    every feature could be read
2    the command line is wrong
3    there is no feature here, or none of that name
4    a tasks.md cannot be read with certainty
"""

import json as json_format
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from moonmind import __version__
from moonmind.cli.exits import Exit, code_of, say
from moonmind.errors import ErrorInfo, MoonMindError, NotFound, SpecUnreadable
from moonmind.speckit.features import Feature, find_features, matches
from moonmind.speckit.tasks import TasksFile
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.work import Work, next_work

app = typer.Typer(
    name="speckit",
    help="Read a folder's Spec Kit files as MoonMind does.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A feature and what its tasks.md says, or why it cannot be read."""

    feature: Feature
    file: TasksFile | None = None
    error: SpecUnreadable | None = None


def _version(asked: bool) -> None:
    if asked:
        print(f"speckit {__version__}")
        raise typer.Exit


@app.callback()
def speckit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read a folder's Spec Kit files as MoonMind does."""


@app.command()
def status(
    path: Annotated[Path, typer.Argument(help="A checkout.", exists=True, file_okay=False)] = Path(),
    feature: Annotated[str | None, typer.Option(help="Only this feature.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Show each feature's phases, and what a run would do next."""
    readings = [_read(path, found) for found in find_features(_listing(path)) if not feature or matches(found, feature)]
    if not readings:
        wanted = f"no feature {feature!r}" if feature else "no feature (specs/*/tasks.md)"
        raise NotFound(f"{path.absolute()} holds {wanted}", remediation="Name the folder that holds specs/.")
    if json:
        print(json_format.dumps({"features": [_as_json(reading) for reading in readings]}))
    else:
        from moonmind.cli.phases import sheet
        from moonmind.cli.screen import out

        console = out()
        for reading in readings:
            console.print(sheet(reading.feature, reading.file, reading.error, console))
    raise typer.Exit(Exit.SETUP if any(reading.error for reading in readings) else Exit.FINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        return int(app(given, prog_name="speckit", standalone_mode=False) or 0)
    except MoonMindError as error:
        say(error.info(), as_json="--json" in given)
        return code_of(error)
    except Exception as error:
        # Typer's own errors explain themselves; anything else is a defect and shows where.
        explain = getattr(error, "format_message", None)
        if explain is None:
            raise
        say(ErrorInfo("usage", explain(), "See `speckit --help`."), as_json="--json" in given)
        return Exit.USAGE


def _listing(root: Path) -> Iterator[str]:
    """List the files below the folder as git would name them; `.git` and linked folders are passed over."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", "node_modules", ".venv"}]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files)


def _read(root: Path, feature: Feature) -> Reading:
    try:
        return Reading(feature, read_tasks((root / feature.tasks_path).read_bytes(), name=feature.tasks_path))
    except SpecUnreadable as error:
        return Reading(feature, error=error)


def _as_json(reading: Reading) -> dict[str, Any]:
    feature, file = reading.feature, reading.file
    body: dict[str, Any] = {"key": feature.key, "path": feature.path}
    if reading.error is not None:
        return body | {"error": reading.error.info().as_json()}
    if file is None:
        return body
    work = next_work(feature, file)
    return body | {
        "completed": file.completed,
        "total": file.total,
        "phases": [{"title": phase.title, "completed": phase.completed, "total": phase.total} for phase in file.phases],
        "next": {"phase": work.phase.title, "tasks": [task.id for task in work.tasks]}
        if isinstance(work, Work)
        else None,
        "reason": None if isinstance(work, Work) else work.reason,
        "warnings": list(file.warnings),
    }


if __name__ == "__main__":
    sys.exit(main())
