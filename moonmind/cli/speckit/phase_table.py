"""Draw a feature's phases: how far each is, and what a run would do next."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind.cli.consoles import marks
from moonmind.cli.exits import in_commands
from moonmind.cli.terminal_text import one_line
from moonmind.errors import SpecUnreadable
from moonmind.speckit.answer import CHOOSE_FEATURE, STALE_BOXES, Answer, AnswerKind, who_does
from moonmind.speckit.feature import Feature
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.work import Work, ids_of, next_work

_BAR = 12


def sheet(feature: Feature, file: TasksFile | None, error: SpecUnreadable | None, console: Console) -> RenderableType:
    """Draw one feature."""
    parts: list[RenderableType] = [Text("")]
    if file is None:
        parts.append(Text(one_line(feature.path), "bold"))
        if error is not None:
            parts.append(Text(f"  {one_line(error.message)}", "red"))
            parts.append(Text(f"  fix: {one_line(in_commands(error.advice))}"))
        return Group(*parts)
    parts.append(Text.assemble((one_line(feature.path), "bold"), (f"  {file.completed} of {file.total} tasks", "dim")))
    work = next_work(feature, file)
    chosen = work.phase if isinstance(work, Work) else None
    shown = marks(console)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for phase in file.phases:
        done, now = not phase.pending, phase is chosen
        mark, style = ("succeeded", "green") if done else ("started", "cyan") if now else ("waiting", "dim")
        table.add_row(
            Text(shown[mark], style),
            Text(one_line(phase.title), "bold" if now else ""),
            _bar(phase.completed, phase.total, console),
            f"{phase.completed}/{phase.total}",
        )
    parts.append(Padding(table, (0, 0, 0, 2), expand=False))
    parts.append(_next(f"next: {ids_of(work.tasks)}" if isinstance(work, Work) else work.reason))
    parts += [Text(f"  note: {one_line(warning)}", "yellow") for warning in file.warnings]
    return Group(*parts)


def answer_sheet(found: Answer) -> RenderableType:
    """Draw what a run would do: the feature and why, the phase, its tasks, what is left to people; or what is asked."""
    parts: list[RenderableType] = [Text("")]
    feature, reasons = found.feature, list(found.reasons)
    if feature is not None:
        parts.append(Text.assemble((one_line(feature.path), "bold"), (f"  {one_line(reasons.pop(0))}", "dim")))
    if found.kind is AnswerKind.WORK and found.work is not None:
        parts += _tasks(found.work)
    else:
        parts += [Text(f"  {one_line(reason)}", "yellow") for reason in reasons]
    if found.asks == CHOOSE_FEATURE:
        parts.append(Text("  fix: name one with --feature", "bold"))
    elif found.asks == STALE_BOXES:
        parts.append(Text("  fix: tick what is done, or name what to do with --phase or --task", "bold"))
    parts += [_item(str(candidate)) for candidate in found.candidates if found.asks]
    parts += [Text(f"  note: {one_line(note)}", "yellow") for note in found.notes]
    return Group(*parts)


def _tasks(work: Work) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(f"  {one_line(work.phase.title)}", "cyan")]
    if work.part:
        parts.append(Text(f"  {one_line(work.part)}", "yellow"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for task in work.tasks:
        labels = " ".join(filter(None, ("[P]" if task.parallel else "", f"[{task.story}]" if task.story else "")))
        table.add_row(Text(one_line(task.id), "bold"), Text(one_line(f"{labels} {task.text}".strip())))
    parts.append(Padding(table, (0, 0, 0, 4), expand=False))
    if work.left_for_people:
        parts.append(Text(f"  left for people: {one_line(ids_of(work.left_for_people))}", "yellow"))
        parts += [Text(f"    {one_line(line)}", "dim") for line in who_does(work.left_for_people)]
    return parts


def _item(text: str) -> RenderableType:
    """Draw an item of a list: what does not fit in the first line goes on below its words."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text("-"), Text(one_line(text)))
    return Padding(table, (0, 0, 0, 4), expand=False)


def _next(text: str) -> Text:
    return Text(f"  {one_line(text)}", "dim")


def _bar(done: int, total: int, console: Console) -> Text:
    full, empty = ("#", ".") if console.options.ascii_only else ("━", "─")
    filled = done * _BAR // total if total else 0
    return Text.assemble((full * filled, "green"), (empty * (_BAR - filled), "dim"))
