"""The commands `environment show`, `build`, `list` and `remove`: what is set up on this host for the tests of repositories."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from moonmind import wire
from moonmind.cli import consoles
from moonmind.cli.byte_sizes import byte_size
from moonmind.cli.confirmation import confirmed
from moonmind.cli.durations import ago, between
from moonmind.cli.environment_display import SHORT_KEY, BuildView, needs
from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.sandbox_commands import trying
from moonmind.cli.session import connected, connected_to_existing, connected_to_look
from moonmind.cli.terminal_tables import one_line_table
from moonmind.cli.terminal_text import one_line
from moonmind.cli.unattended import attended
from moonmind.errors import InvalidRequest
from moonmind.ports.environments import BuildState

_CUT = frozenset({"REPOSITORY", "ROOT", "SETUP"})
_DROPPED = ("SETUP", "USED", "SIZE")
"""What goes first where there is no room; `--json` has it."""
_SHORT_RUN = 8


def show(repository: str, *, ref: str | None, printer: Printer) -> int:
    """Print what a repository needs, and where that stands on this host."""
    with connected_to_look() as container, trying(container.settings, container.sandbox_pin.read()):
        found = container.environments.show(repository, ref)
    printer.answer(found, lambda console: console.print(needs(found)))
    return Exit.FINE


def build(repository: str, *, ref: str | None, printer: Printer) -> int:
    """Build what a repository needs and is not there, and print what the builds print. Raises EnvironmentFailed."""
    with connected() as container:
        with trying(container.settings, container.sandbox_pin.read()):
            builds = container.environments.build(repository, ref)
        # The log is for people; a program reads the answer.
        view = BuildView(builds, consoles.err() if printer.as_json else consoles.out())
        try:
            for news in builds.news():
                view.show(news)
        except KeyboardInterrupt:
            view.leave()
            raise
    printer.answer(wire.BuiltEnvironments(repository=builds.repository, items=view.ready), lambda _: view.close())
    return Exit.FINE


def listing(printer: Printer) -> int:
    """List what is set up on this host, and what is being set up."""
    with connected_to_existing() as container:
        found = container.environments.here()
    printer.answer(found, lambda console: console.print(sheet(found, console)))
    return Exit.FINE


def remove(what: str | None, *, everything: bool, yes: bool, printer: Printer) -> int:
    """Remove one environment, those of a repository, or all; return 0 only if all of them are gone."""
    if (what is None) is not everything:
        raise InvalidRequest(
            "which environments are to be removed is not clear",
            remediation="Name a repository (OWNER/NAME) or a key from `moonmind environment list`, or use --all.",
        )
    with connected_to_existing() as container:
        service = container.environments
        chosen = service.here().items if what is None else service.named(what)
        if chosen and not yes:
            if printer.as_json or not attended():
                raise InvalidRequest(
                    f"nothing was removed: {_counted(chosen)} would be, and there is no terminal to ask at",
                    remediation="Run it again with --yes.",
                )
            console = consoles.out()
            console.print(_table(chosen, console))
            if not confirmed(f"\nRemove {_counted(chosen)}?", "Nothing was removed."):
                return Exit.FINE
        done = service.remove(chosen)
    printer.answer(done, lambda console: console.print(_outcome(done)))
    return Exit.FAILED if done.kept else Exit.FINE


def sheet(found: wire.HostEnvironments, console: Console) -> RenderableType:
    """Draw what is on a host, with the space that it takes."""
    if not found.items:
        return Text("Nothing is set up on this host: runs do it when they need it.", "dim")
    of = f"{_counted(found.items)} of at most {byte_size(found.space_bytes)} (MOONMIND_ENVIRONMENT_SPACE)"
    return Group(_table(found.items, console), Text(f"\n{of}", "dim"))


def _table(items: Sequence[wire.HostEnvironment], console: Console) -> Table:
    cells: dict[str, list[Text]] = {
        "KEY": [Text(one.key[:SHORT_KEY], "bold") for one in items],
        "REPOSITORY": [Text(one_line(one.repository)) for one in items],
        "ROOT": [Text(one_line(one.root)) for one in items],
        "SETUP": [Text("; ".join(map(one_line, one.setup)) or "-", "dim") for one in items],
        "SIZE": [Text("-" if one.state is BuildState.BUILDING else byte_size(one.size_bytes)) for one in items],
        "BUILT": [_built(one) for one in items],
        "USED": [_used(one) for one in items],
    }
    if any(one.run for one in items):
        cells["FOR"] = [Text(f"run {one.run[:_SHORT_RUN]}" if one.run else "all runs", "dim") for one in items]
    return one_line_table(cells, console, cut=_CUT, dropped=_DROPPED)


def _built(one: wire.HostEnvironment) -> Text:
    if one.state is BuildState.BUILDING:
        return Text(f"for {between(one.begun_at, None)} now", "yellow")
    return Text(ago(one.built_at) if one.built_at else "-", "dim")


def _used(one: wire.HostEnvironment) -> Text:
    if one.lent_to:
        return Text("now", "green")
    return Text(ago(one.used_at) if one.used_at else "-", "dim")


def _counted(items: Sequence[wire.HostEnvironment]) -> str:
    count = "1 environment" if len(items) == 1 else f"{len(items)} environments"
    return f"{count}, {byte_size(sum(one.size_bytes for one in items))}"


def _outcome(done: wire.RemovedEnvironments) -> RenderableType:
    lines = [Text(f"Kept {_named(one.environment)}: {one_line(one.reason)}", "red") for one in done.kept]
    for one in done.removed:
        stopped = "; its build was stopped" if one.state is BuildState.BUILDING else f", {byte_size(one.size_bytes)}"
        lines.append(Text(f"Removed {_named(one)}{stopped}"))
    return Group(*lines) if lines else Text("There was nothing to remove.", "dim")


def _named(one: wire.HostEnvironment) -> str:
    root = "" if one.root == "." else f" {one_line(one.root)}"
    return f"{one_line(one.repository)}{root} ({one.key[:SHORT_KEY]})"
