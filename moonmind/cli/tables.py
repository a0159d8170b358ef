"""The tables of the terminal: a list of runs, one run's sheet, the checks of `doctor`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind.cli.moments import ago
from moonmind.cli.plain import clean, one_line
from moonmind.cli.screen import marks
from moonmind.cli.stages import ending, heading, stage_table, status_text, waiting_text
from moonmind.ports.check import Check, CheckStatus
from moonmind.wire import SpecWorkflowRun

_WIDE = 100
_CHECKS = {
    CheckStatus.PASSED: ("succeeded", "green"),
    CheckStatus.FAILED: ("failed", "red"),
    CheckStatus.SKIPPED: ("skipped", "dim"),
    CheckStatus.UNKNOWN: ("started", "yellow"),
}


def runs_table(runs: Sequence[SpecWorkflowRun], console: Console) -> Table:
    """List runs in one line each; narrow terminals leave out what `show` tells."""
    wide = console.width >= _WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("ID", no_wrap=True, style="bold", min_width=8)
    table.add_column("STATUS", no_wrap=True, min_width=9)
    table.add_column("STAGE", no_wrap=True, min_width=8)
    if wide:
        table.add_column("REPOSITORY", no_wrap=True, overflow="ellipsis", max_width=32)
    table.add_column("FEATURE", no_wrap=True, overflow="ellipsis")
    if wide:
        table.add_column("PHASE", no_wrap=True, overflow="ellipsis")
    table.add_column("CREATED", no_wrap=True, style="dim")
    for run in runs:
        stage = run.current_task_name.value if run.current_task_name else ""
        feature = Text(one_line(run.feature_key or "-"))
        if wide:
            cells = [Text(one_line(run.repository)), feature, Text(one_line(run.phase or ""), "dim")]
        else:
            cells = [feature if run.feature_key else Text(one_line(run.repository))]
        status = status_text(run.status.value)
        table.add_row(str(run.id)[:8], status, stage, *cells, ago(run.created_at))
    return table


def run_sheet(run: SpecWorkflowRun, console: Console, artifact_root: Path) -> RenderableType:
    """Show one run whole: what it is, its stages, how it ended, what it left."""
    parts: list[RenderableType] = [heading(run), Text(""), stage_table(run, console), Text("")]
    if run.status.terminal:
        parts.append(ending(run))
    else:
        line = status_text(run.status.value)
        if run.waiting is not None:
            line.append(f": {waiting_text(run.waiting)}", "dim")
        parts.append(line)
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


def checks_table(checks: Iterable[Check], console: Console) -> Table:
    """List checks, with what mends each that failed beneath it."""
    shown = marks(console)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for check in checks:
        mark, style = _CHECKS[check.status]
        said = Text(clean(check.message), style if check.failed else "")
        if check.remediation and check.status in {CheckStatus.FAILED, CheckStatus.UNKNOWN}:
            said.append(f"\nfix: {clean(check.remediation)}", "bold")
        table.add_row(Text(shown[mark], style), Text(one_line(check.name)), said)
    return table
