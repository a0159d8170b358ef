"""The command `speckit`: what MoonMind reads in a folder's Spec Kit files, without a server or a network.

0    it was done, and every file that was asked for could be read
1    `doctor` found what would stop a run
2    the command line is wrong
3    there is no feature here, or none of that name; nothing is left to do
4    a tasks.md cannot be read with certainty
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from moonmind import __version__
from moonmind.cli.exits import Exit, code_of, say
from moonmind.cli.speckit.bounded_reading import read_file
from moonmind.cli.speckit.checkout import Asked, Checkout, find_task, rewrite
from moonmind.errors import InvalidRequest, MoonMindError, NotFound, SpecUnreadable
from moonmind.speckit.documents import constitution_in, documents_of, skills_in
from moonmind.speckit.feature import Feature, matches
from moonmind.speckit.features import Choice
from moonmind.speckit.report import feature_report, file_report, next_report
from moonmind.speckit.selection import Selection
from moonmind.speckit.tasks_md import TasksFile, read_tasks, tick, untick
from moonmind.speckit.work import NoWork, Work, next_work


def status(given: argparse.Namespace) -> int:
    """Show the phases and next tasks of each feature, or of one tasks.md."""
    path: Path = given.path
    if path.is_file():
        return _status_of_file(path, as_json=given.json)
    checkout = Checkout.around(path)
    shown = [one for one in checkout.features if not given.feature or matches(one, given.feature)]
    if not shown:
        raise NotFound(
            f"{checkout.root} holds no feature {given.feature!r}", remediation="`speckit status` lists them all."
        )
    readings = [(one, checkout.file(one)) for one in shown]
    if given.json:
        features = [feature_report(one, file) for one, file in readings]
        print(json.dumps({"features": features, "next": _next_of(checkout, _asked(given))}))
    else:
        from moonmind.cli.consoles import out
        from moonmind.cli.speckit.phase_table import sheet

        console = out()
        for one, file in readings:
            error = file if isinstance(file, SpecUnreadable) else None
            console.print(sheet(one, file if isinstance(file, TasksFile) else None, error, console))
    return Exit.SETUP if any(isinstance(file, SpecUnreadable) for _, file in readings) else Exit.FINE


def following(given: argparse.Namespace) -> int:
    """Show which tasks a run would take next, and why."""
    checkout = Checkout.around(given.path)
    choice, found = _work(checkout, _asked(given), Selection.read(given.story, given.task))
    work = found if isinstance(found, Work) else None
    reason = found.reason if isinstance(found, NoWork) else ""
    if given.json:
        print(json.dumps(next_report(choice, work, reason)))
    else:
        from moonmind.cli.consoles import out
        from moonmind.cli.speckit.phase_table import next_sheet

        out().print(next_sheet(choice, work, reason))
    return Exit.FINE if work is not None else Exit.STATE


def prompt(given: argparse.Namespace) -> int:
    """Print the prompt that a run would give to its agent."""
    from moonmind.speckit.prompt import render_prompt

    checkout = Checkout.around(given.path)
    _, found = _work(checkout, _asked(given), Selection.read(given.story, given.task))
    if isinstance(found, NoWork):
        raise NotFound(found.reason, remediation="There is no prompt without open tasks.")
    text = render_prompt(
        work=found,
        documents=documents_of(found.feature, checkout.listing),
        constitution_path=constitution_in(checkout.listing),
        skills=skills_in(checkout.listing),
        notes=given.notes,
    )
    sys.stdout.write(text)
    return Exit.FINE


def ticking(given: argparse.Namespace) -> int:
    """Tick one task's box in tasks.md; nothing else in the file changes."""
    place = _file(given.path, _asked(given))
    before = read_file(place)
    task = find_task(read_tasks(before, name=str(place)), given.id, given.line)
    return _write(place, before, tick(before, [task]), f"{task.id} (line {task.line})", "ticked")


def unticking(given: argparse.Namespace) -> int:
    """Untick one task's box in tasks.md; nothing else in the file changes."""
    place = _file(given.path, _asked(given))
    before = read_file(place)
    task = find_task(read_tasks(before, name=str(place)), given.id, given.line)
    return _write(place, before, untick(before, task), f"{task.id} (line {task.line})", "open again")


def doctor(given: argparse.Namespace) -> int:
    """Find problems in the Spec Kit files that would stop a run or need attention, with fixes."""
    from moonmind.cli.speckit.speckit_doctor import examine
    from moonmind.cli.terminal_tables import checks_listed, checks_table

    checks = examine(Checkout.around(given.path), _asked(given))
    failed = any(check.failed for check in checks)
    if given.json:
        print(json.dumps({"ready": not failed, "checks": checks_listed(checks)}))
    else:
        from moonmind.cli.consoles import out

        console = out()
        console.print(checks_table(checks, console))
    return Exit.FAILED if failed else Exit.FINE


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line as it does every other error."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(message, remediation=f"See `{self.prog} --help`.")


def _parser() -> argparse.ArgumentParser:
    """Build the command line with the standard library: a command that is typed all day must not wait for imports."""
    whole = _Parser(
        prog="speckit", description="Show what MoonMind reads in a checkout's Spec Kit files; tick and untick tasks."
    )
    whole.add_argument("--version", action="version", version=f"speckit {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, work in (
        ("status", status),
        ("next", following),
        ("prompt", prompt),
        ("tick", ticking),
        ("untick", unticking),
        ("doctor", doctor),
    ):
        words = (work.__doc__ or "").strip()
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(work=work)
        if name in {"tick", "untick"}:
            command.add_argument("id", metavar="ID", help="the task's ID, e.g. T012")
            command.add_argument("--line", type=int, help="line number of the task, if several tasks have this ID")
        command.add_argument("path", nargs="?", type=_there, default=Path(), metavar="PATH", help=_PLACES[name])
        if name != "doctor":
            command.add_argument("--feature", help="the feature's number, folder or path, e.g. 042, 042-x, specs/042-x")
        if name in {"next", "prompt"}:
            command.add_argument("--story", help="show only this story's tasks, e.g. US1; a run takes all")
            command.add_argument(
                "--task", action="append", default=[], help="show only these tasks, e.g. T012 or T001-T010; repeatable"
            )
        if name == "prompt":
            command.add_argument("--notes", default="", help="instructions for the agent, in addition to the spec")
        if name in {"status", "next", "doctor"}:
            command.add_argument("--json", action="store_true", help="print JSON and nothing else")
    return whole


_FOLDER = "a checkout, or a folder in it (default: the current folder)"
_PLACES = dict.fromkeys(("next", "prompt", "doctor"), _FOLDER) | dict.fromkeys(
    ("status", "tick", "untick"), f"{_FOLDER}; or one tasks.md"
)


def _there(text: str) -> Path:
    place = Path(text)
    if not place.exists():
        raise argparse.ArgumentTypeError(f"{text!r} does not exist")
    return place


def _asked(given: argparse.Namespace) -> Asked:
    """Return which feature is meant: Spec Kit's own two variables count where the command line names none."""
    return Asked(
        getattr(given, "feature", None),
        os.environ.get("SPECIFY_FEATURE_DIRECTORY"),
        os.environ.get("SPECIFY_FEATURE"),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        given = _parser().parse_args(words)
        return int(given.work(given))
    except MoonMindError as error:
        say(error.info(), as_json="--json" in words)
        return code_of(error)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)


def _status_of_file(path: Path, *, as_json: bool) -> int:
    file = _read(path)
    if as_json:
        print(json.dumps(file_report(file)))
    else:
        from moonmind.cli.consoles import out
        from moonmind.cli.speckit.phase_table import sheet

        console = out()
        feature = Feature(path.parent.name, str(path), path.name)
        error = file if isinstance(file, SpecUnreadable) else None
        console.print(sheet(feature, file if isinstance(file, TasksFile) else None, error, console))
    return Exit.SETUP if isinstance(file, SpecUnreadable) else Exit.FINE


def _read(path: Path) -> TasksFile | SpecUnreadable:
    try:
        return read_tasks(read_file(path), name=path.name)
    except SpecUnreadable as error:
        return error


def _next_of(checkout: Checkout, asked: Asked) -> dict[str, Any]:
    """Report what comes next, or why that cannot be said: the features are shown in any case."""
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


def _write(place: Path, before: bytes, after: bytes, what: str, now: str) -> int:
    if after == before:
        print(f"{what} is {now} already in {place}")
    else:
        rewrite(place, before, after)
        print(f"{what} is {now} in {place}")
    return Exit.FINE


if __name__ == "__main__":
    sys.exit(main())
