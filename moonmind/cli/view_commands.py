"""The commands that look: `runs`, `show`, `logs`, `doctor`."""

import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from moonmind.cli import consoles
from moonmind.cli.agent_log import Entry
from moonmind.cli.exits import Exit
from moonmind.cli.follow import PACE_SECONDS, LogTail, ServiceSource
from moonmind.cli.run_commands import watch as watch_run
from moonmind.cli.run_drawing import entry_text
from moonmind.cli.run_summary import say_leavings
from moonmind.cli.session import Connect, NothingHere, database_file, find_run, opened
from moonmind.cli.tables import checks_legend, checks_listed, checks_table, run_sheet, runs_table
from moonmind.cli.worker_presence import Attendance, warn_if_alone
from moonmind.errors import EnvFileRefused, FolderRefused, NotConfigured, NotFound, SchemaMismatch, Unavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.wire import RunPage


def runs(connect: Connect, *, status: str | None, repository: str | None, limit: int, as_json: bool) -> int:
    """List runs, newest first."""
    try:
        with opened(connect) as session:
            page = session.runs.page(status=status, repository=repository, limit=limit)
            place = database_file(session.settings)
    except NothingHere as nothing:
        page, place = RunPage(items=[]), None
        print(nothing.message[:1].upper() + nothing.message[1:], file=sys.stderr)
        if not as_json:
            return Exit.FINE
    if as_json:
        print(page.model_dump_json(by_alias=True))
        return Exit.FINE
    console = consoles.out()
    if not page.items:
        where = f" in {place}" if place is not None else ""
        none = "No such runs." if status or repository else f"No runs yet{where}. Start one: moonmind run OWNER/NAME"
        console.print(none, style="dim")
        return Exit.FINE
    console.print(runs_table(page.items, console))
    if page.next_cursor is not None:
        console.print(f"The newest {len(page.items)}; see more with --limit.", style="dim")
    return Exit.FINE


def show(connect: Connect, run: str, *, watch: bool, as_json: bool) -> int:
    """Show one run whole."""
    with opened(connect) as session:
        if watch:
            return watch_run(session, str(find_run(session.runs, run)), as_json=as_json)
        shown = session.runs.get(find_run(session.runs, run))
        if not shown.status.terminal:
            warn_if_alone(session)
        if as_json:
            print(shown.model_dump_json(by_alias=True))
        else:
            console = consoles.out()
            console.print(run_sheet(shown, console, session.settings.artifact_root))
            say_leavings(console, shown, ServiceSource(session, str(shown.id)), session.settings)
    return Exit.FINE


def logs(connect: Connect, run: str, *, follow: bool, as_json: bool) -> int:
    """Print what the agent said and did."""
    with opened(connect) as session:
        source = ServiceSource(session, run)
        tail = LogTail(source)
        attendance = Attendance(session)
        console = consoles.out()
        seen = False
        while True:
            shown = source.look()
            ended = shown.status.terminal or not follow
            if as_json:
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
        if not seen and not as_json:
            where = "was never started" if shown.status.terminal else "has said nothing yet"
            raise NotFound(
                f"the agent of run {str(shown.id)[:8]} {where}",
                remediation=f"Its stages: moonmind show {str(shown.id)[:8]}",
            )
    return Exit.FINE


def doctor(connect: Connect, *, repository: str | None, as_json: bool) -> int:
    """Probe everything that a run needs, and show how to fix what fails."""
    try:
        with opened(connect) as session:
            checks = list(session.doctor(repository))
    except (EnvFileRefused, FolderRefused):
        raise  # as every command ends: nothing is looked at in a place that may be a stranger's
    except (NotConfigured, Unavailable) as error:
        # Nothing else can be asked without a database, but this answer belongs into the same table.
        name = "database" if isinstance(error, SchemaMismatch | Unavailable) else "settings"
        checks = [Check(name, CheckStatus.FAILED, error.message, error.advice)]
    failed = [check for check in checks if check.failed]
    if as_json:
        print(json.dumps({"ready": not failed, "checks": checks_listed(checks)}))
    else:
        console = consoles.out()
        console.print(checks_table(checks, console))
        if legend := checks_legend(checks, console):
            console.print(Text(f"\n{legend}", "dim"))
        console.print(_sum_of(checks))
    return Exit.FAILED if failed else Exit.FINE


def _sum_of(checks: Sequence[Check]) -> Text:
    made = [check for check in checks if check.status is not CheckStatus.SKIPPED]
    failed = [check for check in made if check.failed]
    if failed:
        return Text(f"\n{len(failed)} of {len(made)} checks failed.", "red")
    if any(check.status is CheckStatus.UNKNOWN for check in made):
        return Text("\nReady, but some checks could not be made.", "yellow")
    return Text("\nReady.", "green")


def _print_entry(console: Console, entry: Entry) -> None:
    console.print(entry_text(entry), soft_wrap=True)
    if entry.detail:
        for line in entry.detail.splitlines():
            console.print(Text(f"    {line}", "dim"), soft_wrap=True)
