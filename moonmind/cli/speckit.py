"""The command `speckit`: what MoonMind reads in a folder's Spec Kit files, without a server or a network.

0    it was done, and every file that was asked for could be read
1    `doctor` found what would stop a run
2    the command line is wrong
3    there is no feature here, or none of that name; nothing is left to do
4    a tasks.md cannot be read with certainty
"""

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from moonmind import __version__
from moonmind.cli.checkout import Asked, Checkout, find_task, rewrite
from moonmind.cli.exits import Exit, code_of, say
from moonmind.errors import ErrorInfo, MoonMindError, NotFound, SpecUnreadable
from moonmind.speckit.documents import constitution_in, documents_of, skills_in
from moonmind.speckit.feature import Feature, matches
from moonmind.speckit.features import Choice
from moonmind.speckit.report import feature_report, file_report, next_report
from moonmind.speckit.selection import Selection
from moonmind.speckit.tasks_md import TasksFile, read_tasks, tick, untick
from moonmind.speckit.work import NoWork, Work, next_work

app = typer.Typer(
    name="speckit",
    help="Read a folder's Spec Kit files as MoonMind does.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Place = Annotated[Path, typer.Argument(help="A checkout, or a folder in it.", exists=True)]
Which = Annotated[str | None, typer.Option("--feature", help="The feature: 042, 042-x or specs/042-x.")]
Directory = Annotated[str | None, typer.Option(envvar="SPECIFY_FEATURE_DIRECTORY", hidden=True)]
Named = Annotated[str | None, typer.Option(envvar="SPECIFY_FEATURE", hidden=True)]
Story = Annotated[str | None, typer.Option(help="Only this story's tasks: US1.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Only these: T012, T001-T010; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
OnLine = Annotated[int | None, typer.Option("--line", help="Which line, where the id stands more than once.")]


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
def status(path: Place = Path(), feature: Which = None, json: Json = False) -> None:
    """Show each feature's phases, and what a run would do next; of a single tasks.md, what it says."""
    if path.is_file():
        raise typer.Exit(_status_of_file(path, as_json=json))
    checkout = Checkout.around(path)
    shown = [one for one in checkout.features if not feature or matches(one, feature)]
    if not shown:
        raise NotFound(f"{checkout.root} holds no feature {feature!r}", remediation="`speckit status` lists them all.")
    readings = [(one, checkout.file(one)) for one in shown]
    if json:
        features = [feature_report(one, file) for one, file in readings]
        print(json_format.dumps({"features": features, "next": _next_of(checkout, Asked(feature))}))
    else:
        from moonmind.cli.phases import sheet
        from moonmind.cli.screen import out

        console = out()
        for one, file in readings:
            error = file if isinstance(file, SpecUnreadable) else None
            console.print(sheet(one, file if isinstance(file, TasksFile) else None, error, console))
    raise typer.Exit(Exit.SETUP if any(isinstance(file, SpecUnreadable) for _, file in readings) else Exit.FINE)


@app.command("next")
def next_(
    path: Place = Path(),
    feature: Which = None,
    story: Story = None,
    task: Tasks = None,
    json: Json = False,
    directory: Directory = None,
    name: Named = None,
) -> None:
    """Show what a run would do next, and why just that."""
    checkout = Checkout.around(path)
    choice, found = _work(checkout, Asked(feature, directory, name), Selection.read(story, task or ()))
    work = found if isinstance(found, Work) else None
    reason = found.reason if isinstance(found, NoWork) else ""
    if json:
        print(json_format.dumps(next_report(choice, work, reason)))
    else:
        from moonmind.cli.phases import next_sheet
        from moonmind.cli.screen import out

        out().print(next_sheet(choice, work, reason))
    raise typer.Exit(Exit.FINE if work is not None else Exit.STATE)


@app.command()
def prompt(
    path: Place = Path(),
    feature: Which = None,
    story: Story = None,
    task: Tasks = None,
    notes: Annotated[str, typer.Option(help="What you would tell the agent beside it.")] = "",
    directory: Directory = None,
    name: Named = None,
) -> None:
    """Print what an agent would be told."""
    from moonmind.speckit.prompt import render_prompt

    checkout = Checkout.around(path)
    _, found = _work(checkout, Asked(feature, directory, name), Selection.read(story, task or ()))
    if isinstance(found, NoWork):
        raise NotFound(found.reason, remediation="There is nothing to tell an agent.")
    text = render_prompt(
        work=found,
        documents=documents_of(found.feature, checkout.listing),
        constitution_path=constitution_in(checkout.listing),
        skills=skills_in(checkout.listing),
        notes=notes,
    )
    sys.stdout.write(text)


@app.command("tick")
def tick_(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task: T012.")],
    path: Place = Path(),
    feature: Which = None,
    line: OnLine = None,
    directory: Directory = None,
    name: Named = None,
) -> None:
    """Tick one box; every other byte of the file stays."""
    place = _file(path, Asked(feature, directory, name))
    before = place.read_bytes()
    task = find_task(read_tasks(before, name=str(place)), task_id, line)
    _write(place, before, tick(before, [task]), f"{task.id} (line {task.line})", "ticked")


@app.command("untick")
def untick_(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task: T012.")],
    path: Place = Path(),
    feature: Which = None,
    line: OnLine = None,
    directory: Directory = None,
    name: Named = None,
) -> None:
    """Open one ticked box again; every other byte of the file stays."""
    place = _file(path, Asked(feature, directory, name))
    before = place.read_bytes()
    task = find_task(read_tasks(before, name=str(place)), task_id, line)
    _write(place, before, untick(before, task), f"{task.id} (line {task.line})", "open again")


@app.command()
def doctor(path: Place = Path(), json: Json = False, directory: Directory = None, name: Named = None) -> None:
    """Say what in this project would stop a run, or surprise it, and how to mend it."""
    from moonmind.cli.speckit_doctor import examine

    checkout = Checkout.around(path)
    checks = examine(checkout, Asked(None, directory, name))
    failed = any(check.failed for check in checks)
    if json:
        listed = [
            {
                "name": check.name,
                "status": check.status.value,
                "message": check.message,
                "remediation": check.remediation or None,
            }
            for check in checks
        ]
        print(json_format.dumps({"ready": not failed, "checks": listed}))
    else:
        from moonmind.cli.screen import out
        from moonmind.cli.tables import checks_table

        console = out()
        console.print(checks_table(checks, console))
    raise typer.Exit(Exit.FAILED if failed else Exit.FINE)


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


def _status_of_file(path: Path, *, as_json: bool) -> int:
    file = _read(path)
    if as_json:
        print(json_format.dumps(file_report(file)))
    else:
        from moonmind.cli.phases import sheet
        from moonmind.cli.screen import out

        console = out()
        feature = Feature(path.parent.name, str(path), path.name)
        error = file if isinstance(file, SpecUnreadable) else None
        console.print(sheet(feature, file if isinstance(file, TasksFile) else None, error, console))
    return Exit.SETUP if isinstance(file, SpecUnreadable) else Exit.FINE


def _read(path: Path) -> TasksFile | SpecUnreadable:
    try:
        return read_tasks(path.read_bytes(), name=path.name)
    except SpecUnreadable as error:
        return error


def _next_of(checkout: Checkout, asked: Asked) -> dict[str, Any]:
    """Say what comes next, or why that cannot be said: the features are shown in any case."""
    try:
        choice, found = _work(checkout, asked, Selection())
    except MoonMindError as error:
        return next_report(None, None, error.message)
    if isinstance(found, Work):
        return next_report(choice, found, "")
    return next_report(choice, None, found.reason)


def _work(checkout: Checkout, asked: Asked, selection: Selection) -> tuple[Choice, Work | NoWork]:
    choice = checkout.choose(asked)
    if choice.feature is None:
        return choice, NoWork(f"{choice.reason[:1].upper()}{choice.reason[1:]}.")
    file = checkout.file(choice.feature)
    if isinstance(file, SpecUnreadable):
        raise file
    return choice, next_work(choice.feature, file, selection)


def _file(path: Path, asked: Asked) -> Path:
    """Find the tasks.md that is meant: the file that was named, else that of the feature a run would choose."""
    if path.is_file():
        return path
    checkout = Checkout.around(path)
    choice = checkout.choose(asked)
    if choice.feature is None:
        raise NotFound(f"no feature has an open task: {choice.reason}", remediation="Name the feature with --feature.")
    return checkout.root / choice.feature.tasks_path


def _write(place: Path, before: bytes, after: bytes, what: str, now: str) -> None:
    if after == before:
        print(f"{what} is {now} already in {place}")
        return
    rewrite(place, before, after)
    print(f"{what} is {now} in {place}")


if __name__ == "__main__":
    sys.exit(main())
