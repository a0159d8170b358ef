"""The tables of the terminal: a list of runs, one run's sheet, the checks of `doctor`."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind.cli.consoles import marks
from moonmind.cli.durations import ago
from moonmind.cli.question import question
from moonmind.cli.run_drawing import (
    ending,
    heading,
    model_calls_text,
    requests,
    stage_table,
    status_text,
    waiting_text,
)
from moonmind.cli.terminal_text import clean, one_line
from moonmind.ports.check import Check, CheckStatus
from moonmind.wire import CheckResult, RunEvent, SpecWorkflowRun

_GAP = 2
_SHORTEST = 12
"""Cells that are left of a name at least; below that, a column goes."""
_CUT = frozenset({"REPOSITORY", "FEATURE", "PHASE"})
_DROPPED = ("PHASE", "CREATED", "FEATURE", "STAGE")
"""What goes first where there is no room; `show` tells it."""
_CHECKS = {
    CheckStatus.PASSED: ("succeeded", "green"),
    CheckStatus.FAILED: ("failed", "red"),
    CheckStatus.SKIPPED: ("skipped", "dim"),
    CheckStatus.UNKNOWN: ("started", "yellow"),
}
_LEGEND = {
    CheckStatus.PASSED: "passed",
    CheckStatus.FAILED: "failed",
    CheckStatus.UNKNOWN: "unclear or need attention",
    CheckStatus.SKIPPED: "not applicable or not tested",
}


def runs_table(runs: Sequence[SpecWorkflowRun], console: Console) -> Table:
    """List runs in one line each; what does not fit is cut with an ellipsis, and narrow terminals drop columns."""
    cells: dict[str, list[Text]] = {
        "ID": [Text(str(run.id)[:8], "bold") for run in runs],
        "STATUS": [_status(run) for run in runs],
        "STAGE": [Text(run.current_task_name.value if run.current_task_name else "-") for run in runs],
        "REPOSITORY": [Text(one_line(run.repository)) for run in runs],
        "FEATURE": [Text(one_line(run.feature_key or "-")) for run in runs],
        "PHASE": [Text(one_line(run.phase or "-"), "dim") for run in runs],
        "CREATED": [Text(ago(run.created_at), "dim") for run in runs],
    }
    return one_line_table(cells, console, cut=_CUT, dropped=_DROPPED)


def one_line_table(
    cells: Mapping[str, Sequence[Text]], console: Console, *, cut: Collection[str], dropped: Sequence[str]
) -> Table:
    """List columns by name, each row in one line: those of `cut` may be shortened, then those of `dropped` go, in order."""
    wanted = {name: max(len(name), *(text.cell_len for text in column)) for name, column in cells.items()}
    widths = _fitted(wanted, console.width, cut, dropped)
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)
    for name, width in widths.items():
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=width)
    for row in zip(*(cells[name] for name in widths), strict=True):
        table.add_row(*row)
    return table


def _status(run: SpecWorkflowRun) -> Text:
    return status_text(run.status.value) if run.attention is None else Text("needs answer", "bold yellow")


def _fitted(wanted: Mapping[str, int], room: int, cut: Collection[str], dropped: Sequence[str]) -> dict[str, int]:
    """Choose columns and their widths: names are cut as far as they can still be told apart, then columns go."""
    widths = {name: min(width, room) if name in cut else width for name, width in wanted.items()}
    for column in (None, *dropped):
        if column is not None:
            del widths[column]
        least = {name: min(width, _SHORTEST) if name in cut else width for name, width in widths.items()}
        if sum(least.values()) + _GAP * (len(least) - 1) <= room:
            break
    while sum(widths.values()) + _GAP * (len(widths) - 1) > room:
        longest = max((name for name in widths if name in cut), key=lambda name: widths[name], default="ID")
        if widths[longest] <= 1:
            break
        widths[longest] -= 1
    return widths


def run_sheet(run: SpecWorkflowRun, asked: Iterable[RunEvent], console: Console, artifact_root: Path) -> RenderableType:
    """Show one run whole: what it is, what was asked of it and by whom, its stages, how it ended, what it left."""
    parts: list[RenderableType] = [heading(run), *requests(asked), Text(""), stage_table(run, console), Text("")]
    if run.status.terminal:
        parts.append(ending(run))
    else:
        line = status_text(run.status.value)
        if run.waiting is not None:
            line.append(f": {waiting_text(run.waiting)}", "dim")
        parts.append(line)
        if (open_question := question(run)) is not None:
            parts += [Text(""), open_question]
    if said := model_calls_text(run):
        parts.append(Text(said, "dim"))
    audit = run.credential_audit
    if audit is not None and "failed" in {audit.codex_status, audit.github_status}:
        parts += [Text(""), Text("credentials", "dim")]
        for name, status, message in (
            ("codex", audit.codex_status, audit.codex_message),
            ("github", audit.github_status, audit.github_message),
        ):
            parts.append(
                Text(f"  {name}  {status.value}  {one_line(message or '')}", "red" if status == "failed" else "")
            )
    if run.artifacts:
        parts += [Text(""), Text(f"artifacts in {artifact_root / str(run.id)}", "dim"), _artifacts(run)]
    parts += [Text(""), Text(f"id {run.id}", "dim")]
    return Group(*parts)


def _artifacts(run: SpecWorkflowRun) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    for artifact in run.artifacts or []:
        size = "growing" if artifact.size_bytes is None else f"{artifact.size_bytes:,} bytes"
        table.add_row(Text(one_line(artifact.artifact_type)), Text(one_line(artifact.path)), size)
    return Padding(table, (0, 0, 0, 2), expand=False)


def checks_listed(checks: Iterable[Check]) -> list[dict[str, str | None]]:
    """List checks for programs."""
    return [
        {
            "name": check.name,
            "status": check.status.value,
            "message": check.message,
            "remediation": check.remediation or None,
        }
        for check in checks
    ]


def checks_table(checks: Iterable[Check | CheckResult], console: Console) -> Table:
    """List checks, each that failed with its fix beneath it."""
    shown = marks(console)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for check in checks:
        mark, style = _CHECKS[check.status]
        said = Text(clean(check.message), style if check.status is CheckStatus.FAILED else "")
        if check.remediation and check.status in {CheckStatus.FAILED, CheckStatus.UNKNOWN}:
            said.append(f"\nfix: {clean(check.remediation)}", "bold")
        table.add_row(Text(shown[mark], style), Text(one_line(check.name)), said)
    return table


def checks_legend(checks: Iterable[Check], console: Console) -> str:
    """Report what each mark that was drawn means, and how often it was drawn."""
    shown, counts = marks(console), Counter(check.status for check in checks)
    return "   ".join(
        f"{shown[_CHECKS[status][0]]} {counts[status]} {said}" for status, said in _LEGEND.items() if counts[status]
    )
