"""Draw a feature's phases: how far each is, and what a run would do next."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind.cli.consoles import marks
from moonmind.cli.terminal_text import one_line
from moonmind.errors import SpecUnreadable
from moonmind.speckit.features import Choice, Feature
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
            parts.append(Text(f"  fix: {one_line(error.advice)}"))
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


def next_sheet(choice: Choice, work: Work | None, reason: str) -> RenderableType:
    """Draw what a run would do: the feature and why, the phase, its tasks, and what is left to people."""
    feature = choice.feature
    parts: list[RenderableType] = [Text("")]
    if feature is not None:
        parts.append(Text.assemble((one_line(feature.path), "bold"), (f"  {one_line(choice.reason)}", "dim")))
    if work is None:
        return Group(*parts, Text(f"  {one_line(reason)}", "yellow"))
    parts.append(Text(f"  {one_line(work.phase.title)}", "cyan"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for task in work.tasks:
        labels = " ".join(filter(None, ("[P]" if task.parallel else "", f"[{task.story}]" if task.story else "")))
        table.add_row(Text(one_line(task.id), "bold"), Text(one_line(f"{labels} {task.text}".strip())))
    parts.append(Padding(table, (0, 0, 0, 4), expand=False))
    if work.left_for_people:
        parts.append(Text(f"  left for people: {one_line(ids_of(work.left_for_people))}", "yellow"))
    return Group(*parts)


def _next(text: str) -> Text:
    return Text(f"  {one_line(text)}", "dim")


def _bar(done: int, total: int, console: Console) -> Text:
    full, empty = ("#", ".") if console.options.ascii_only else ("━", "─")
    filled = done * _BAR // total if total else 0
    return Text.assemble((full * filled, "green"), (empty * (_BAR - filled), "dim"))
