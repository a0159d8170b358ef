"""The commands that start and steer runs: `run`, `answer`, `retry`, `cancel`."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from rich.console import Console

from moonmind import wire
from moonmind.cli import consoles
from moonmind.cli.checkout_feature import feature_here
from moonmind.cli.exits import Exit, of_status, say
from moonmind.cli.follow import ServiceSource, follow
from moonmind.cli.printer import Printer
from moonmind.cli.question import nothing_asked, question, refuse_two_meanings
from moonmind.cli.question_prompt import ask, interactive
from moonmind.cli.run_drawing import SCRIPTED, ending, heading, is_scripted, status_text
from moonmind.cli.run_summary import say_leftovers
from moonmind.cli.session import connected, connected_to_existing, find_run
from moonmind.cli.terminal_text import one_line
from moonmind.cli.unattended import attended, refuse_question
from moonmind.cli.worker_presence import Attendance, warn_if_alone
from moonmind.errors import AnswerNotAwaited, ErrorInfo, InvalidRequest, RunActive
from moonmind.os_user import own_name
from moonmind.runs import naming
from moonmind.runs.machine import RetryMode
from moonmind.runtime.container import Container
from moonmind.wire.problems import in_words

Body = TypeVar("Body", bound=wire.WireModel)

_NO_ANSWER = ErrorInfo(
    "no_answer",
    "no answer was given, and there is no terminal to ask in",
    "Run the command with one of the answers above.",
)


def asked_for(
    repository: str,
    *,
    feature: str | None = None,
    notes: str | None = None,
    stage: str | None = None,
    phase: str | None = None,
    story: str | None = None,
    tasks: Sequence[str] = (),
    skip: Sequence[str] = (),
    commit: str | None = None,
    kind: str | None = None,
) -> wire.CreateRun:
    """Return what the command line asks for; raises InvalidRequest for what no run can be made of."""
    given = {"phase": phase, "story": story, "tasks": list(tasks) or None, "skip": list(skip) or None, "commit": commit}
    chosen = {name: value for name, value in given.items() if value is not None}
    return _body(
        wire.CreateRun,
        repository=repository,
        feature_key=feature,
        notes=notes,
        force_phase=stage,
        select=chosen or None,
        kind=kind,
    )


def about_this_checkout(body: wire.CreateRun) -> wire.CreateRun:
    """Return the request with the feature that the current folder's checkout points to, if it names none; says so."""
    if body.feature_key:
        return body
    here = feature_here(body.repository, Path.cwd())
    if here is None or not naming.is_feature_request(here.path):
        return body
    print(f"Feature {one_line(here.path)}, as in this checkout: {one_line(here.why)}.", file=sys.stderr)
    if here.unpushed is not None:
        print(f"note: {one_line(here.unpushed)}; a run reads what is pushed", file=sys.stderr)
    return body.model_copy(update={"feature_key": here.path})


def start(body: wire.CreateRun, *, watch: bool, printer: Printer) -> int:
    """Create a run, and follow it if asked to; without a terminal, none that would ask what to take up."""
    body = about_this_checkout(body)
    with connected() as container:
        if not attended():
            refuse_question(container, body)
        try:
            run = container.runs.create(body, actor=own_name())
        except RunActive:
            warn_if_alone(container)  # waiting for the other run, as the answer advises, would not help
            raise
        return started(container, run, watch=watch, printer=printer)


def dry_run(body: wire.CreateRun, *, printer: Printer) -> int:
    """Show what a run would do; start none."""
    from moonmind.cli import dry_run as trial

    return trial.dry_run(about_this_checkout(body), printer=printer)


def answer(
    run: str,
    *,
    choice: str | None,
    approve: bool,
    reject: bool,
    text: str | None,
    why: str | None,
    asked: int | None,
    watch: bool,
    printer: Printer,
) -> int:
    """Answer what a run asks: with what is given, else with what a person chooses in the terminal.

    `asked` is the question that the given answer is for; None: the only one that the run has asked.
    """
    given = {"choice": choice, "text": text, "approve": approve or None, "reject": reject or None}
    named = [value for value in given.values() if value is not None]
    if len(named) > 1:
        raise InvalidRequest(
            "CHOICE, --approve, --reject and --text are one answer each", remediation="Give exactly one of them."
        )
    if asked is not None and not named:
        raise InvalidRequest(
            "--question says what an answer is for, and there is no answer",
            remediation="Give the answer too, or leave out --question.",
        )
    body = _body(wire.AnswerRun, **given, why=why, question=asked) if named else None
    with connected_to_existing() as container:
        run_id = find_run(container.runs, run)
        asking = container.runs.get(run_id)
        if body is not None:
            if asking.attention is not None:
                body = _naming_question(container, asking, asking.attention, body)
            answered = container.runs.answer(run_id, body, actor=own_name())
        else:
            if asking.attention is None:
                raise nothing_asked(asking)
            printer.answer(asking.attention, lambda console: console.print(question(asking)))
            if printer.as_json or not interactive():
                say(_NO_ANSWER)
                return Exit.USAGE
            try:
                answered = ask(container.runs, asking, why=why)
            except KeyboardInterrupt:
                return _left_open(asking)
        if watch:
            return _watch(container, str(run_id), printer=printer)
        warn_if_alone(container)
        printer.answer(answered, lambda _: print(f"Run {answered.id} goes on with this answer."))
    return Exit.FINE


def _naming_question(
    container: Container, asking: wire.SpecWorkflowRun, asked: wire.Attention, body: wire.AnswerRun
) -> wire.AnswerRun:
    """Return the answer with the question that it is for; raises InvalidRequest where the person may mean an earlier one."""
    refuse_two_meanings(asked, body.choice or "")
    if body.question is not None:
        return body
    if (count := container.runs.questions_asked(asking.id)) > 1:
        short = str(asking.id)[:8]
        raise InvalidRequest(
            f"the run has asked {count} questions, and the answer does not say which one it is for; it asks now: {asked.text}",
            remediation=f"Add --question {asked.question} if you answer this one; `moonmind show {short}` has the options.",
        )
    return body.model_copy(update={"question": asked.question})


def retry(
    run: str,
    *,
    from_discovery: bool,
    notes: str | None,
    watch: bool,
    printer: Printer,
    accept: Sequence[str] = (),
    why: str | None = None,
) -> int:
    """Start an ended run again; `accept` and `why` excuse findings that look like secrets."""
    if bool(accept) != bool(why):
        raise InvalidRequest(
            "--accept requires --why, and --why requires --accept",
            remediation='Run the command with both: --accept FINGERPRINT --why "REASON".',
        )
    for fingerprint in accept:
        if not re.fullmatch(wire.FINGERPRINT, fingerprint):
            raise InvalidRequest(
                f"--accept {fingerprint[:100]!r} is not a fingerprint: those are 16 hexadecimal digits",
                remediation=f"Copy it from the run's error: moonmind show {run}",
            )
    accepted = _body(wire.AcceptFindings, fingerprints=list(accept), reason=why) if accept else None
    mode = RetryMode.RESTART_FROM_DISCOVERY if from_discovery else RetryMode.RESUME_FAILED_TASK
    body = _body(wire.RetryRun, mode=mode, notes=notes, accept_findings=accepted)
    with connected_to_existing() as container:
        retried = container.runs.retry(find_run(container.runs, run), body, actor=own_name())
        return started(container, retried, watch=watch, printer=printer)


def accept(run: str, tasks: Sequence[str], *, why: str, watch: bool, printer: Printer) -> int:
    """Start the run that ticks tasks of an ended run in the name of whoever calls."""
    ids = [one.strip() for text in tasks for one in text.split(",") if one.strip()]
    body = _body(wire.AcceptTasks, tasks=ids, reason=why)
    with connected_to_existing() as container:
        ticking = container.runs.accept(find_run(container.runs, run), body, actor=own_name())
        return started(container, ticking, watch=watch, printer=printer)


def cancel(run: str, *, printer: Printer) -> int:
    """Ask a run to stop."""
    with connected_to_existing() as container:
        cancelled = container.runs.cancel(find_run(container.runs, run), actor=own_name())
        if not cancelled.status.terminal:
            warn_if_alone(container)
        ended = f"Run {cancelled.id} is {cancelled.status.value}."
        stopping = f"Run {cancelled.id} is being cancelled; it ends when its agent has stopped."
        printer.answer(cancelled, lambda _: print(ended if cancelled.status.terminal else stopping))
    return Exit.FINE


def watch(container: Container, run_id: str, *, printer: Printer) -> int:
    """Follow a run to its end; what is interrupted is the watching, never the run."""
    source = ServiceSource(container.runs, run_id)
    asks = not printer.as_json and interactive()
    view, attendance = printer.view(), Attendance(container)
    try:
        while True:
            with view:
                ended = follow(
                    source, view, meanwhile=attendance.look, until=lambda run: asks and run.attention is not None
                )
            if ended.status.terminal:
                break
            if not _ask(container, ended):
                return _left_open(ended)
        if not printer.as_json:
            say_leftovers(consoles.out(), ended, source, container.settings)
        return of_status(ended.status.value)
    except KeyboardInterrupt:
        print(f"\nThe run continues; watch it again with `moonmind show {run_id[:8]} --watch`.", file=sys.stderr)
        return Exit.INTERRUPTED


def _ask(container: Container, asking: wire.SpecWorkflowRun) -> bool:
    """Ask what a watched run asks; False where the person gave no answer. Somebody else's answer is as good."""
    try:
        ask(container.runs, asking)
    except AnswerNotAwaited as error:
        say(error.info())
    except KeyboardInterrupt:
        return False
    return True


def _left_open(asking: wire.SpecWorkflowRun) -> int:
    print(f"\nThe question stays open; answer it with `moonmind answer {str(asking.id)[:8]}`.", file=sys.stderr)
    return Exit.INTERRUPTED


def started(container: Container, run: wire.SpecWorkflowRun, *, watch: bool, printer: Printer) -> int:
    """Show a run that was just started, or follow it to its end."""
    if watch:
        return _watch(container, str(run.id), printer=printer)
    if not run.status.terminal:
        warn_if_alone(container)
    scripted = container.settings.agent == "scripted" and not is_scripted(run)
    printer.answer(run, lambda console: _draw(run, console, scripted=scripted))
    return Exit.FINE


def _draw(run: wire.SpecWorkflowRun, console: Console, *, scripted: bool) -> None:
    console.print(heading(run))
    if scripted:
        console.print(SCRIPTED, style="yellow")
    console.print("")
    console.print(ending(run) if run.status.terminal else status_text(run.status.value))
    console.print(f"\nWatch it with `moonmind show {str(run.id)[:8]} --watch`.", style="dim")


_watch = watch  # `started` has an option of that name


def _body(kind: type[Body], /, **given: object) -> Body:
    try:
        return kind.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [f"{_field(problem['loc'])}: {in_words(problem)}" for problem in error.errors()]
        raise InvalidRequest("; ".join(problems), remediation="Correct it and try again.") from None


def _field(place: tuple[int | str, ...]) -> str:
    """Return the field's name as the API writes it, without the place in a list."""
    return ".".join(part for part in place if isinstance(part, str))
