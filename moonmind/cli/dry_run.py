"""`moonmind run --dry-run`: what a run would begin with, without a run, an agent, a branch or a cent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind import wire
from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.session import connected_to_existing, connected_to_temporary, missing_database
from moonmind.cli.terminal_tables import checks_listed, checks_table
from moonmind.cli.terminal_text import one_line
from moonmind.ports.check import Check
from moonmind.preflight.workflow_right import workflow_right, workflows_named
from moonmind.runs.machine import RunStatus
from moonmind.settings import load_settings


def dry_run(body: wire.CreateRun, *, printer: Printer) -> int:
    """Show the work that a run would take up, and whether it could start."""
    # What goes wrong is in the answer; a log of it would say it twice.
    with connected_to_temporary(_state_dir(), log_level="CRITICAL") as container:
        probed = container.preflight.run(body.repository)
        tried = container.dry_run(body)
    run, found = tried.run, tried.found
    checks = with_workflow_right(probed, found)
    failed = any(check.failed for check in checks)

    def draw(console: Console) -> None:
        console.print(checks_table(checks, console))
        console.print(_sheet(run, found, console))

    printer.answer({"ready": not failed, "checks": checks_listed(checks), "next": _next(run, found)}, draw)
    if run.status is RunStatus.NO_WORK:
        return Exit.FINE
    return Exit.FAILED if failed or run.error is not None else Exit.FINE


def with_workflow_right(checks: Sequence[Check], found: Mapping[str, Any]) -> list[Check]:
    """Add the check of the right to change the workflows that the tasks name, where they name some."""
    named = [
        path
        for task in _tasks(found)
        for path in workflows_named((*task.get("targets", ()), str(task.get("text", ""))), task.get("references", ()))
    ]
    facts = {name: value for check in checks for name, value in check.facts.items()}
    right = workflow_right(facts, tuple(dict.fromkeys(named)))
    return [*checks] if right is None else [*checks, right]


def _state_dir() -> Path | None:
    """Return where the mirrors of the real database's runs are, if there is one."""
    settings = load_settings()
    if settings.state_dir is not None or missing_database(settings) is not None:
        return settings.state_dir
    with connected_to_existing() as container:
        return container.state_folder


def _next(run: wire.SpecWorkflowRun, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return it in the form of `speckit next --json`, and where it would go."""
    has_work = bool(found.get("tasks")) and run.status not in {RunStatus.NO_WORK, RunStatus.FAILED}
    return {
        "feature": found.get("featureKey"),
        "choice": found.get("choice"),
        "phase": found.get("phase") if has_work else None,
        "tasks": [task["id"] for task in _tasks(found)] if has_work else [],
        "left_for_people": list(found.get("leftForPeople") or ()),
        "reason": run.error.message if run.error is not None else run.reason,
        "branch": found.get("branchName") if has_work else None,
        "base": found.get("base") if has_work else None,
    }


def _sheet(run: wire.SpecWorkflowRun, found: Mapping[str, Any], console: Console) -> RenderableType:
    parts: list[RenderableType] = [Text("")]
    if feature := found.get("featureKey"):
        parts.append(
            Text.assemble((one_line(str(feature)), "bold"), (f"  {one_line(str(found.get('choice', '')))}", "dim"))
        )
    if run.error is not None:
        parts.append(Text(f"  {one_line(run.error.message)}", "red"))
        if run.error.remediation:
            parts.append(Text(f"  fix: {one_line(run.error.remediation)}", "bold"))
        return Group(*parts)
    if run.status is RunStatus.NO_WORK:
        return Group(*parts, Text(f"  {one_line(run.reason or '')}", "yellow"))
    parts.append(Text(f"  {one_line(str(found['phase']))}", "cyan"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for task in _tasks(found):
        table.add_row(Text(one_line(str(task["id"])), "bold"), Text(one_line(str(task["text"]))))
    parts.append(Padding(table, (0, 0, 0, 4), expand=False))
    if left := found.get("leftForPeople"):
        parts.append(Text(f"  left for people: {one_line(', '.join(left))}", "yellow"))
    parts += [Text(f"  note: {one_line(str(warning))}", "yellow") for warning in found.get("warnings") or ()]
    arrow = "->" if console.options.ascii_only else "→"
    parts.append(Text(f"\n  {found['branchName']} {arrow} {found['base']}; nothing was started", "dim"))
    return Group(*parts)


def _tasks(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(found.get("tasks") or ())
