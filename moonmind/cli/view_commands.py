"""The commands that look: `runs`, `show`, `logs`, `doctor`."""

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from moonmind.cli import consoles
from moonmind.cli.agent_log import Entry
from moonmind.cli.exits import Exit
from moonmind.cli.follow import PACE_SECONDS, LogTail, ServiceSource
from moonmind.cli.printer import Printer
from moonmind.cli.run_commands import watch as watch_run
from moonmind.cli.run_drawing import entry_text
from moonmind.cli.run_summary import say_leftovers
from moonmind.cli.session import (
    NothingHere,
    connected,
    connected_to_existing,
    connected_to_temporary,
    database_file,
    find_run,
    missing_database,
)
from moonmind.cli.terminal_tables import checks_legend, checks_listed, checks_table, run_sheet, runs_table
from moonmind.cli.worker_presence import Attendance, warn_if_alone
from moonmind.errors import EnvFileRefused, FolderRefused, NotConfigured, NotFound, SchemaMismatch, Unavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.settings import load_settings
from moonmind.wire import RunPage


def runs(*, status: str | None, repository: str | None, limit: int, printer: Printer) -> int:
    """List runs, newest first."""
    try:
        with connected_to_existing() as container:
            page = container.runs.page(status=status, repository=repository, limit=limit)
            place = database_file(container.settings)
    except NothingHere as nothing:
        page = RunPage(items=[])
        print(nothing.message[:1].upper() + nothing.message[1:], file=sys.stderr)
        none = ""
    else:
        where = f" in {place}" if place is not None else ""
        first = f"No runs yet{where}. Start one: moonmind run OWNER/NAME"
        none = "No matching runs." if status or repository else first
    printer.answer(page, lambda console: _list(page, none, console))
    return Exit.FINE


def _list(page: RunPage, none: str, console: Console) -> None:
    if page.items:
        console.print(runs_table(page.items, console))
        for run in page.items:
            if run.attention is not None:
                console.print(
                    f"{str(run.id)[:8]} asks: answer it with `moonmind answer {str(run.id)[:8]}`.", style="yellow"
                )
    elif none:
        console.print(none, style="dim")
    if page.next_cursor is not None:
        console.print(f"The newest {len(page.items)} runs; use --limit to see more.", style="dim")


def show(run: str, *, watch: bool, printer: Printer) -> int:
    """Show one run whole."""
    with connected_to_existing() as container:
        if watch:
            return watch_run(container, str(find_run(container.runs, run)), printer=printer)
        shown = container.runs.get(find_run(container.runs, run))
        asked = container.runs.requests(shown.id)
        if not shown.status.terminal:
            warn_if_alone(container)

        def draw(console: Console) -> None:
            console.print(run_sheet(shown, asked, console, container.settings.artifact_root))
            say_leftovers(console, shown, ServiceSource(container.runs, str(shown.id)), container.settings)

        printer.answer(shown, draw)
    return Exit.FINE


def logs(run: str, *, follow: bool, printer: Printer) -> int:
    """Print what the agent said and did."""
    with connected_to_existing() as container:
        source = ServiceSource(container.runs, run)
        tail = LogTail(source)
        attendance = Attendance(container)
        console = consoles.out()
        seen = False
        while True:
            shown = source.look()
            ended = shown.status.terminal or not follow
            if printer.as_json:
                for piece in tail.pieces(shown):
                    seen = True
                    sys.stdout.buffer.write(piece)
                sys.stdout.flush()
            else:
                entries = [*tail.more(shown), *(tail.last() if ended else [])]
                seen = seen or bool(entries)
                for entry in entries:
                    _print_entry(console, entry)
            if ended:
                break
            attendance.look()
            time.sleep(PACE_SECONDS)
        if not seen and not printer.as_json:
            where = "was never started" if shown.status.terminal else "has written nothing yet"
            raise NotFound(
                f"the agent of run {str(shown.id)[:8]} {where}",
                remediation=f"Its stages: moonmind show {str(shown.id)[:8]}",
            )
    return Exit.FINE


def doctor(*, repository: str | None, printer: Printer) -> int:
    """Probe everything that a run needs, and show how to fix what fails."""
    try:
        checks = _probed(repository)
    except (EnvFileRefused, FolderRefused):
        raise  # as every command ends: nothing is looked at in a place that may be a stranger's
    except (NotConfigured, Unavailable) as error:
        # Nothing else can be asked without a database, but this answer belongs into the same table.
        name = "database" if isinstance(error, SchemaMismatch | Unavailable) else "settings"
        checks = [Check(name, CheckStatus.FAILED, error.message, error.advice)]
    return report(checks, printer)


def report(checks: Sequence[Check], printer: Printer, **more: str | None) -> int:
    """Print checks, with what more programs are told, and return 0 only if none failed."""
    failed = [check for check in checks if check.failed]

    def draw(console: Console) -> None:
        console.print(checks_table(checks, console))
        console.print(Text(f"\n{checks_legend(checks, console)}", "dim"))
        console.print(_sum_of(checks))

    printer.answer({"ready": not failed, **more, "checks": checks_listed(checks)}, draw)
    return Exit.FAILED if failed else Exit.FINE


def _probed(repository: str | None) -> list[Check]:
    """Probe everything; where there is no database yet, over a temporary one."""
    settings = load_settings()
    place = missing_database(settings)
    if place is None:
        with connected(settings) as container:
            return container.doctor(repository)
    with connected_to_temporary(settings.state_dir) as container:
        found = container.doctor(repository)
    none = Check(
        "database",
        CheckStatus.SKIPPED,
        f"{place} does not exist yet; `moonmind up` or the first `moonmind run` creates it",
    )
    return [none if check.name == "database" and not check.failed else check for check in found]


def _sum_of(checks: Sequence[Check]) -> Text:
    failed = [check for check in checks if check.failed]
    if failed:
        return Text(f"\n{len(failed)} of {len(checks)} checks failed.", "red")
    if any(check.status is CheckStatus.UNKNOWN for check in checks):
        return Text("\nReady, but some checks need attention.", "yellow")
    return Text("\nReady.", "green")


def _print_entry(console: Console, entry: Entry) -> None:
    console.print(entry_text(entry), soft_wrap=True)
    if entry.detail:
        for line in entry.detail.splitlines():
            console.print(Text(f"    {line}", "dim"), soft_wrap=True)
