"""`moonmind reconcile`: propose boxes to tick for what is there already, and open the pull request of those accepted."""

import sys

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moonmind import wire
from moonmind.cli.confirmation import confirmed
from moonmind.cli.exits import Exit, in_commands
from moonmind.cli.printer import Printer
from moonmind.cli.run_commands import about_this_checkout, asked_for, started
from moonmind.cli.session import connected
from moonmind.cli.terminal_text import one_line
from moonmind.cli.unattended import attended, choice_needed
from moonmind.os_user import own_name
from moonmind.runs.kinds import TICKS
from moonmind.speckit.answer import AnswerKind
from moonmind.wire.requests import SELECTED_LENGTH

_SHOWN = 12
"""Digits of a commit's name."""


def reconcile(repository: str, *, feature: str | None, yes: bool, watch: bool, printer: Printer) -> int:
    """Show the proposals; on acceptance, start the run that ticks them."""
    body = about_this_checkout(asked_for(repository, feature=feature, kind=TICKS))
    with connected() as container:
        found = container.previews.preview(body, probe=printer.as_json)
        if found.answer is AnswerKind.ASK:
            raise choice_needed(found, body.repository)
        if not (yes and printer.as_json and found.work):
            printer.answer(found, lambda console: console.print(sheet(found)))
        if found.error is not None:
            return Exit.FAILED
        if not found.work or not (yes or _accepted(found, printer)):
            return Exit.FINE
        accepted = asked_for(
            repository, feature=found.feature, kind=TICKS, tasks=_joined(found.tasks), commit=found.commit
        )
        return started(container, container.runs.create(accepted, actor=own_name()), watch=watch, printer=printer)


def _accepted(found: wire.RunPreview, printer: Printer) -> bool:
    """Ask the person at the terminal; without one, nothing is accepted."""
    if printer.as_json:
        return False
    if not attended():
        print("Nothing was started: accept these boxes in a terminal, or with --yes.", file=sys.stderr)
        return False
    count = len(found.work)
    boxes = "this box" if count == 1 else f"these {count} boxes"
    question = f"\nOpen a pull request that ticks {boxes} of {one_line(found.feature or '')}?"
    return confirmed(question, "Nothing was started.")


def sheet(found: wire.RunPreview) -> RenderableType:
    """Draw the proposals with their evidence, and why other boxes stay open."""
    parts: list[RenderableType] = []
    if found.feature:
        seen = f"  at commit {one_line(found.commit[:_SHOWN])}" if found.commit else ""
        parts.append(Text.assemble((one_line(found.feature), "bold"), (seen, "dim")))
    if found.choice:
        parts.append(Text(one_line(found.choice), "dim"))
    if found.error is not None:
        parts.append(Text(in_commands(one_line(found.error.message)), "red"))
        if found.error.remediation:
            parts.append(Text(f"fix: {in_commands(one_line(found.error.remediation))}", "bold"))
    elif not found.work:
        parts.append(Text(in_commands(one_line(found.reason or "no box is proposed")), "yellow"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="green")
    for task in found.work:
        table.add_row(Text(one_line(task.id), "bold"), Text(one_line(task.text)), Text(one_line(task.evidence or "")))
    if found.work:
        parts += [Text(""), table]
    if found.notes:
        parts.append(Text(""))
    parts += [Text(f"note: {in_commands(one_line(note))}", "yellow") for note in found.notes]
    return Group(*parts)


def _joined(ids: list[str]) -> list[str]:
    """Return the ids in as few texts as a request's limits want."""
    joined: list[str] = []
    for one in ids:
        if joined and len(joined[-1]) + 1 + len(one) <= SELECTED_LENGTH:
            joined[-1] += f",{one}"
        else:
            joined.append(one)
    return joined
