"""Show what a run asks a person: the question, the options with their facts, and the command that answers."""

import shlex
from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from moonmind.cli.durations import clock
from moonmind.cli.terminal_text import clean, one_line
from moonmind.errors import AnswerNotAwaited, InvalidRequest
from moonmind.runs.attention import APPROVE, REJECT
from moonmind.speckit.feature import may_be_one
from moonmind.wire import Attention, AttentionOption, SpecWorkflowRun

_COMMANDS = 5
"""So many options are named in a command of their own; of more, the first."""


def question(run: SpecWorkflowRun) -> Group | None:
    """Draw what an answer is awaited to; None where nothing is asked."""
    asked = run.attention
    if asked is None:
        return None
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for number, option in enumerate(asked.options, 1):
        said = Text(one_line(option.value), "bold")
        if facts := _facts(option):
            said.append(f"\n{facts}", "not bold")
        table.add_row(f"{number}.", said)
    commands = [Text.assemble(("answer: ", "dim"), command) for command in answer_commands(run.id.hex, asked)]
    return Group(
        Text(clean(asked.text).strip(), "yellow"),
        *([table] if asked.options else []),
        *commands,
        Text(f"until {clock(asked.until)}; then the run fails", "dim"),
    )


def question_lines(run: SpecWorkflowRun) -> Iterator[str]:
    """Yield the same as plain lines."""
    asked = run.attention
    if asked is None:
        return
    yield one_line(asked.text)
    for number, option in enumerate(asked.options, 1):
        yield f"  {number}. {one_line(option.value)}: {one_line(_facts(option))}"
    for command in answer_commands(run.id.hex, asked):
        yield f"answer: {command}"


def _facts(option: AttentionOption) -> str:
    """Return what an option says of itself, without its value in front."""
    return clean(option.text.removeprefix(f"{option.value}:")).strip()


def nothing_asked(run: SpecWorkflowRun) -> AnswerNotAwaited:
    """Report that there is nothing to answer."""
    fix = f"See how the run stands with `moonmind show {str(run.id)[:8]}`."
    return AnswerNotAwaited(f"the run asks nothing: it is {run.status.value}", remediation=fix)


def refuse_two_meanings(asked: Attention, typed: str) -> None:
    """Raise InvalidRequest for a number that is one option's place in the list, and the number of another one's feature."""
    values = [option.value for option in asked.options]
    if typed not in map(str, range(1, len(values) + 1)):
        return
    listed = values[int(typed) - 1]
    if others := [value for value in values if value != listed and may_be_one(value, typed)]:
        raise InvalidRequest(
            f"{typed} may mean {others[0]}, or {listed}, which is number {typed} of the list",
            remediation="Answer with the whole path of the one you mean.",
        )


def answer_commands(run_id: str, asked: Attention) -> list[str]:
    """Return the commands that answer this question and no later one: one for each answer there is, up to a few."""
    start, end = f"moonmind answer {run_id[:8]}", f"--question {asked.question}"
    values = [option.value for option in asked.options]
    if not values:
        return [f'{start} --text "..." {end}']
    if set(values) <= {APPROVE, REJECT}:
        return [f"{start} --{value} {end}" for value in values]
    shown = [f"{start} {shlex.quote(one_line(value))} {end}" for value in values[:_COMMANDS]]
    return shown if len(values) <= _COMMANDS else [*shown, f"{start} ... {end}"]
