"""Ask in the terminal what a run asks: by plain lines, so that any terminal will do."""

import sys
from dataclasses import replace

from pydantic import ValidationError

from moonmind import wire
from moonmind.cli import consoles
from moonmind.cli.exits import say
from moonmind.cli.question import nothing_asked, question
from moonmind.errors import AnswerNotAwaited, RunActive
from moonmind.os_user import own_name
from moonmind.services.run_service import RunService
from moonmind.wire.problems import in_words


def interactive() -> bool:
    """Return True if a person can be asked: standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(runs: RunService, run: wire.SpecWorkflowRun, *, why: str | None = None) -> wire.SpecWorkflowRun:
    """Read answers until the run takes one, and return the run as it is then; the question is on the screen already.

    Raises AnswerNotAwaited when somebody else was faster or the time is over, and KeyboardInterrupt when no answer is given:
    the question stays open then.
    """
    while True:
        if (asked := run.attention) is None:
            raise nothing_asked(run)
        body = _read(asked, why)
        try:
            return runs.answer(run.id, body, actor=own_name())
        except RunActive as error:
            say(error.info())
        except AnswerNotAwaited as error:
            run = runs.get(run.id)
            if run.attention is None:
                raise
            if run.attention.question == asked.question:
                say(replace(error.info(), remediation=_possible(asked)))
            else:
                print("That question is not open any more; the run asks now:", file=sys.stderr)
                consoles.out().print(question(run))


def _possible(asked: wire.Attention) -> str:
    """Return what may be typed: the list is on the screen already."""
    count = len(asked.options)
    if not count:
        return "Type a text."
    return f"Type a number from 1 to {count}, or one of the options." if count > 1 else "Type 1, or the option."


def _read(asked: wire.Attention, why: str | None) -> wire.AnswerRun:
    """Read one line that can be an answer: an option's number or value, or a text where none are offered."""
    options = asked.options
    prompt = f"Answer (1 to {len(options)}; Ctrl-C leaves it open): " if options else "Answer (Ctrl-C leaves it open): "
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            raise KeyboardInterrupt from None
        if not line:
            continue
        chosen = {str(number): option.value for number, option in enumerate(options, 1)}.get(line, line)
        try:
            return wire.AnswerRun.model_validate(
                {"question": asked.question, "choice" if options else "text": chosen, "why": why}
            )
        except ValidationError as error:
            print("; ".join(in_words(problem) for problem in error.errors()), file=sys.stderr)
