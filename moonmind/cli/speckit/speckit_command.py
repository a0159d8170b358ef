"""The command `speckit`: what MoonMind reads in a folder's Spec Kit files, without a server or a network.

0    it was done, and every file that was asked for could be read
1    `doctor` found what would stop a run
2    the command line is wrong
3    there is no feature here, or none of that name; a person has to choose; nothing is left for an agent, or to set up
4    a tasks.md or .moonmind.yml cannot be read with certainty
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from moonmind import __version__
from moonmind.cli.exits import Exit, code_of, say
from moonmind.cli.speckit.bounded_reading import read_file
from moonmind.cli.speckit.checkout import Asked, Checkout, find_task, rewrite
from moonmind.errors import (
    FeatureMissing,
    FeatureUnclear,
    InvalidRequest,
    MoonMindError,
    NotFound,
    RecipeUnreadable,
    SpecUnreadable,
)
from moonmind.speckit.answer import Answer, AnswerKind, unclear
from moonmind.speckit.documents import constitution_in, documents_of, skills_in
from moonmind.speckit.feature import Feature, matches
from moonmind.speckit.report import answer_report, feature_report, file_report
from moonmind.speckit.selection import Selection
from moonmind.speckit.tasks_md import TasksFile, read_tasks, tick, untick
from moonmind.speckit.work import Division, Work


def status(given: argparse.Namespace) -> int:
    """Show the phases and next tasks of each feature, or of one tasks.md."""
    path: Path = given.path
    if path.is_file():
        return _status_of_file(path, as_json=given.json)
    checkout = Checkout.around(path)
    shown = [
        one for one in checkout.features_with(given.feature or "") if not given.feature or matches(one, given.feature)
    ]
    if not shown:
        raise NotFound(
            f"{checkout.root} holds no feature {given.feature!r}", remediation="`speckit status` lists them all."
        )
    readings = [(one, checkout.file(one)) for one in shown]
    if given.json:
        features = [feature_report(one, file) for one, file in readings]
        print(
            json.dumps({"features": features, "next": answer_report(_dated(checkout, checkout.answer(_asked(given))))})
        )
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
    found = _dated(checkout, checkout.answer(_asked(given), _selection(given), _division(given)))
    if given.json:
        error = found.error.info().as_json() if found.error is not None else {}
        print(json.dumps({**error, **answer_report(found)}, default=str))
    elif found.error is not None:
        raise found.error
    else:
        from moonmind.cli.consoles import out
        from moonmind.cli.speckit.phase_table import answer_sheet

        out().print(answer_sheet(found))
    if found.error is not None:
        return _code_of(found.error)
    return Exit.FINE if found.kind is AnswerKind.WORK else Exit.STATE


def prompt(given: argparse.Namespace) -> int:
    """Print the prompt that a run would give to its agent."""
    from moonmind.speckit.project_facts import project_facts
    from moonmind.speckit.prompt import render_prompt

    checkout = Checkout.around(given.path)
    work = _work(checkout.answer(_asked(given), _selection(given), _division(given)))
    text = render_prompt(
        work=work,
        documents=documents_of(work.feature, checkout.listing),
        constitution_path=constitution_in(checkout.listing, work.feature.root),
        skills=skills_in(checkout.listing),
        notes=given.notes,
        facts=project_facts(
            work.feature, checkout.listing, [path for task in work.tasks for path in task.paths], checkout.read
        ),
        done=file.phases if isinstance(file := checkout.file(work.feature), TasksFile) else (),
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


def reconcile(given: argparse.Namespace) -> int:
    """Propose boxes to tick for tasks whose files are there; nothing is changed."""
    from moonmind.cli.speckit.speckit_reconcile import examine, head_of, report, sheet

    checkout = Checkout.around(given.path)
    answered = checkout.answer(_asked(given))
    if answered.error is not None:
        raise answered.error
    if answered.feature is None:
        raise unclear(answered) if answered.kind is AnswerKind.ASK else NotFound(answered.text)
    found, head = examine(checkout, answered.feature), head_of(checkout, answered.feature, os.environ)
    if given.json:
        print(json.dumps(report(answered.feature, head, found)))
    else:
        from moonmind.cli.consoles import out

        out().print(sheet(answered.feature, head, found))
    return Exit.FINE


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


def environment(given: argparse.Namespace) -> int:
    """Show what tests need set up, by .moonmind.yml or the build files; nothing is set up."""
    from moonmind.cli.speckit.speckit_environment import checkout_of, examine, recipe_text, report, sheet

    checkout = checkout_of(given.path)
    if given.print_recipe:
        sys.stdout.write(recipe_text(checkout))
        return Exit.FINE
    plan = examine(checkout)
    if given.json:
        print(json.dumps(report(plan, checkout.listing)))
    else:
        from moonmind.cli.consoles import out

        out().print(sheet(plan, checkout.listing))
    return Exit.FINE if plan.declared or plan.environments else Exit.STATE


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
        ("reconcile", reconcile),
        ("doctor", doctor),
        ("environment", environment),
    ):
        words = (work.__doc__ or "").strip()
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(work=work)
        if name in {"tick", "untick"}:
            command.add_argument("id", metavar="ID", help="the task's ID, e.g. T012")
            command.add_argument("--line", type=int, help="line number of the task, if several tasks have this ID")
        command.add_argument("path", nargs="?", type=_there, default=Path(), metavar="PATH", help=_PLACES[name])
        if name not in {"doctor", "environment"}:
            command.add_argument("--feature", help="the feature's number, folder or path, e.g. 042, 042-x, specs/042-x")
        if name in {"next", "prompt"}:
            command.add_argument("--phase", help="only this phase, e.g. 3 or its title")
            command.add_argument("--story", help="only this story's tasks, e.g. US1")
            command.add_argument(
                "--task", action="append", default=[], help="only these tasks, e.g. T012 or T001-T010; repeatable"
            )
            command.add_argument(
                "--skip", action="append", default=[], help="leave these tasks out, e.g. T012 or T001-T010; repeatable"
            )
            command.add_argument(
                "--most",
                type=_count,
                metavar="N",
                help="at most so many tasks of a phase, as with MOONMIND_PHASE_TASKS",
            )
        if name == "prompt":
            command.add_argument("--notes", default="", help="instructions for the agent, in addition to the spec")
        if name == "environment":
            printed = command.add_mutually_exclusive_group()
            printed.add_argument(
                "--print-recipe", action="store_true", help="print a .moonmind.yml to begin with, of what is detected"
            )
            printed.add_argument("--json", action="store_true", help=_JSON)
        if name in {"status", "next", "reconcile", "doctor"}:
            command.add_argument("--json", action="store_true", help=_JSON)
    return whole


_JSON = "print JSON and nothing else"
_FOLDER = "a checkout, or a folder in it (default: the current folder)"
_PLACES = dict.fromkeys(("next", "prompt", "reconcile", "doctor", "environment"), _FOLDER) | dict.fromkeys(
    ("status", "tick", "untick"), f"{_FOLDER}; or one tasks.md"
)


def _there(text: str) -> Path:
    place = Path(text)
    if not place.exists():
        raise argparse.ArgumentTypeError(f"{text!r} does not exist")
    if not place.is_dir() and not place.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a folder nor a file")
    return place


def _dated(checkout: Checkout, found: Answer) -> Answer:
    """Return a question with its candidates' last changes; git is started for a question alone."""
    if found.kind is not AnswerKind.ASK:
        return found
    from moonmind.cli.speckit.last_changes import with_last_changes

    return with_last_changes(checkout, found, os.environ)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tasks, 1 or more")
    return int(text)


def _division(given: argparse.Namespace) -> Division | None:
    return None if given.most is None else Division(given.most, "--most")


def _selection(given: argparse.Namespace) -> Selection:
    return Selection.read(given.story, given.task, phase=given.phase, skip=given.skip)


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
        return _code_of(error)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)


def _code_of(error: MoonMindError) -> int:
    if isinstance(error, SpecUnreadable | RecipeUnreadable):
        return Exit.SETUP
    return Exit.STATE if isinstance(error, FeatureUnclear | FeatureMissing) else code_of(error)


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


def _work(found: Answer) -> Work:
    """Return the work of an answer; raises FeatureUnclear where a person has to choose, NotFound where there is none."""
    if found.error is not None:
        raise found.error
    if found.kind is AnswerKind.ASK:
        raise unclear(found)
    if found.work is None:
        raise NotFound(found.text, remediation="There is no prompt without open tasks.")
    return found.work


def _file(path: Path, asked: Asked) -> Path:
    """Find the tasks.md that is meant: the file that was named, else that of the feature a run would choose."""
    if path.is_file():
        return path
    checkout = Checkout.around(path)
    found = checkout.answer(asked)
    if found.error is not None:
        raise found.error
    if found.feature is None:
        if found.kind is AnswerKind.ASK:
            raise unclear(found)
        raise NotFound(f"no feature has an open task: {found.text}", remediation="Name the feature with --feature.")
    return checkout.root / found.feature.tasks_path


def _write(place: Path, before: bytes, after: bytes, what: str, now: str) -> int:
    if after == before:
        print(f"{what} is {now} already in {place}")
    else:
        rewrite(place, before, after)
        print(f"{what} is {now} in {place}")
    return Exit.FINE


if __name__ == "__main__":
    sys.exit(main())
