"""`moonmind run --dry-run`: what a run would take up, without a run, an agent, a branch or a cent."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind import wire
from moonmind.cli.exits import Exit, in_commands
from moonmind.cli.printer import Printer
from moonmind.cli.session import connected_to_look
from moonmind.cli.terminal_tables import checks_table
from moonmind.cli.terminal_text import one_line
from moonmind.speckit.answer import AnswerKind


def dry_run(body: wire.CreateRun, *, printer: Printer) -> int:
    """Show the work that a run would take up, and whether it could start."""
    with connected_to_look() as container:
        found = container.previews.preview(body)

    def draw(console: Console) -> None:
        console.print(checks_table(found.checks, console))
        console.print(sheet(found, console))

    document = found.model_dump(mode="json", by_alias=True)
    names = ("feature", "choice", "phase", "tasks", "left_for_people", "reason", "branch", "base")
    printer.answer({**document, "next": {name: document[name] for name in names}}, draw)
    return exit_code(found)


def exit_code(found: wire.RunPreview) -> Exit:
    """Choose the exit code: an answer that a person has to give is a state that allows no run."""
    if found.answer is AnswerKind.ASK:
        return Exit.STATE
    if found.answer in {AnswerKind.PEOPLE_ONLY, AnswerKind.NOTHING_LEFT}:
        return Exit.FINE
    return Exit.FINE if found.ready and found.answer is AnswerKind.WORK else Exit.FAILED


def sheet(found: wire.RunPreview, console: Console) -> RenderableType:
    """Draw what a run would take up, or why it would take up nothing."""
    parts: list[RenderableType] = [Text("")]
    if found.feature:
        parts.append(Text.assemble((one_line(found.feature), "bold"), (f"  {one_line(found.choice or '')}", "dim")))
    if found.error is not None:
        parts.append(Text(f"  {in_commands(one_line(found.error.message))}", "red"))
        if found.error.remediation:
            parts.append(Text(f"  fix: {in_commands(one_line(found.error.remediation))}", "bold"))
    elif found.answer is not AnswerKind.WORK:
        reasons = found.reasons or [found.reason or ""]
        parts += [Text(f"  {in_commands(one_line(reason))}", "yellow") for reason in reasons]
    if found.work:
        parts.append(Text(f"  {one_line(found.phase or '')}", "cyan"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for task in found.work:
            table.add_row(Text(one_line(task.id), "bold"), Text(one_line(task.text)))
        parts.append(Padding(table, (0, 0, 0, 4), expand=False))
    if found.left_for_people:
        parts.append(Text(f"  left for people: {one_line(', '.join(found.left_for_people))}", "yellow"))
    if found.candidates:
        parts.append(Padding(candidates_table(found.candidates), (0, 0, 0, 2), expand=False))
    parts += [Text(f"  note: {in_commands(one_line(note))}", "yellow") for note in found.notes]
    if found.work:
        arrow = "->" if console.options.ascii_only else "→"
        parts.append(Text(f"\n  {found.branch} {arrow} {found.base}; nothing was started", "dim"))
    return Group(*parts)


def candidates_table(candidates: list[wire.PreviewCandidate]) -> Table:
    """List the features that may be meant, with their facts."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for one in candidates:
        table.add_row(
            Text(one_line(one.feature), "bold"),
            Text(f"{one.open} of {one.total} open"),
            Text(f"{one.there} of {one.named} with their files there" if one.named else "no files named"),
            Text(f"changed {one.changed_at:%Y-%m-%d}" if one.changed_at else ""),
        )
    return table
