"""`script/demo [--json] [--keep]`: turn one phase of a sample repository into a pull request, on this machine alone.

Starts MoonMind as a child in `var/demo` (embedded engine, scripted agent, local forge; git is real), asks for a run by
HTTP as the quickstart does, shows it to its end, and leaves nothing running. Each further call adds the next phase to the
same pull request; after the last phase a fresh copy of the sample is taken.
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moonmind import var_folder
from moonmind.cli import consoles
from moonmind.cli.exits import Exit, code_of, of_status, say
from moonmind.cli.follow import follow
from moonmind.cli.run_display import view_for
from moonmind.cli.terminal_text import one_line
from moonmind.demo.child_process import Child, undisturbed
from moonmind.demo.http_client import Client, HttpSource
from moonmind.errors import Conflict, MoonMindError
from moonmind.private import keep_private, make_folder
from moonmind.runs.machine import RunStatus
from moonmind.sample.source import FEATURE_KEY, files
from moonmind.settings import ambient_environment
from moonmind.speckit.tasks_md import read_tasks
from moonmind.wire import SpecWorkflowRun

_SAMPLE = "moonmind/spec-kit-reference"
_FOLDER = Path("var/demo")
_CANCEL_SECONDS = 10.0
Change = tuple[str, int, int]
"""A path, and how many lines were added and deleted; -1 for binary files."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the demo and return its exit code: 0 only if a phase is in the pull request."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--json", action="store_true", help="print the run as one line of JSON; the show goes to stderr"
    )
    parser.add_argument("--keep", action="store_true", help="go on serving after the run, until Ctrl-C")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    console = consoles.err() if given.json else consoles.out()
    folder = _FOLDER.absolute()
    try:
        state_home = ambient_environment().get("XDG_STATE_HOME")
        var_folder.claim({}, Path(state_home) if state_home else None)
        with _alone(folder):
            run = _show(folder, console, keep=given.keep)
    except MoonMindError as error:
        say(error.info(), as_json=given.json)
        return code_of(error)
    except KeyboardInterrupt:
        print("Interrupted. Nothing is left running.", file=sys.stderr)
        return Exit.INTERRUPTED
    if given.json:
        print(run.model_dump_json(by_alias=True))
    return of_status(run.status.value) if run.status is not RunStatus.NO_WORK else Exit.FAILED


def _show(folder: Path, console: Console, *, keep: bool) -> SpecWorkflowRun:
    console.print(
        Text.assemble(("MoonMind demo", "bold"), ("  the sample Spec Kit repository, on this machine alone", "dim"))
    )
    with Child(folder, _state_dir(folder)) as child, Client(_started(child, console)) as client:
        run = _run_to_end(client, child, console)
        changes = _changes(client, run)
        if keep:
            _sum_up(run, changes, folder, console)
            _wait(child, console)
        with _busy(console, "stopping MoonMind"):
            child.stop()
    if not keep:
        _sum_up(run, changes, folder, console)
    return run


def _started(child: Child, console: Console) -> str:
    with _busy(console, "starting MoonMind"):
        child.start()
        return child.url()


def _busy(console: Console, doing: str) -> AbstractContextManager[object]:
    """Show on a terminal what is being waited for; the words go when it is done."""
    return console.status(doing, spinner_style="cyan") if console.is_terminal else nullcontext()


def _run_to_end(client: Client, child: Child, console: Console) -> SpecWorkflowRun:
    """Run the sample's next phase; a sample that has none left gives way to a fresh one, once."""
    newest = client.newest()
    if newest is not None and not newest.status.terminal:
        console.print(Text("Continuing the run of an earlier demo.", "dim"))
        return _followed(client, newest, child, console)
    repository = newest.repository if newest is not None else _SAMPLE
    run = _followed(client, client.create(repository, FEATURE_KEY), child, console)
    if run.status is RunStatus.NO_WORK:
        console.print(Text("\nAll phases are in the pull request; starting over with a fresh sample.", "dim"))
        run = _followed(client, client.create(_next(repository), FEATURE_KEY), child, console)
    return run


def _followed(client: Client, run: SpecWorkflowRun, child: Child, console: Console) -> SpecWorkflowRun:
    try:
        with view_for(console) as view:
            return follow(HttpSource(client, run.id), view, check=child.check)
    except BaseException:
        with undisturbed():
            _cancel(client, run)
        raise


def _cancel(client: Client, run: SpecWorkflowRun) -> None:
    """Stop an interrupted run before its server goes: its agent would outlive both."""
    deadline = time.monotonic() + _CANCEL_SECONDS
    try:
        client.cancel(run.id)
        while not (now := client.get(run.id)).status.terminal and time.monotonic() < deadline:
            time.sleep(0.1)
        ended = now.status.value if now.status.terminal else "being cancelled; the next demo continues it"
        print(f"\nThe run is {ended}.", file=sys.stderr)
    except MoonMindError as error:
        print(f"The run could not be cancelled: {error.message}", file=sys.stderr)


def _next(repository: str) -> str:
    number = repository.removeprefix(_SAMPLE).removeprefix("-")
    return f"{_SAMPLE}-{int(number) + 1 if number.isdecimal() else 2}"


def _sum_up(run: SpecWorkflowRun, changes: list[Change], folder: Path, console: Console) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right", style="green", no_wrap=True)
    table.add_column(justify="right", style="red", no_wrap=True)
    for path, added, deleted in changes:
        table.add_row(
            Text(one_line(path)), f"+{added}" if added >= 0 else "binary", f"-{deleted}" if deleted > 0 else ""
        )
    if changes:
        console.print(Text(f"\n{len(changes)} files in the run's commit", "dim"))
        console.print(table)
    console.print(Text("\nlook at it", "dim"))
    places = Table.grid(padding=(0, 2, 0, 0))
    places.add_column(style="dim", no_wrap=True)
    places.add_column(overflow="fold")
    places.add_row("artifacts", Text(_near(folder / "artifacts" / str(run.id))))
    places.add_row("repository", Text(_near(folder / "repositories" / f"{run.repository}.git")))
    console.print(places)
    if run.status is RunStatus.SUCCEEDED:
        console.print(Text(f"\n{_onward(run)}", "dim"))


def _onward(run: SpecWorkflowRun) -> str:
    """Report what the next call does; after the sample's last phase this pull request gets no more commits."""
    path = f"specs/{FEATURE_KEY}/tasks.md"
    last = read_tasks(files()[path], name=path).phases[-1].title
    if run.phase == last:
        return "That was the last phase; run the demo again to start over with a fresh sample."
    return "Run the demo again to add the next phase to the same pull request."


def _changes(client: Client, run: SpecWorkflowRun) -> list[Change]:
    """Read from the run's own artifact which files its commit changed, and by how many lines."""
    paths = [artifact.path for artifact in run.artifacts or [] if artifact.artifact_type == "apply_output"]
    if not paths:
        return []
    files = json.loads(client.artifact(run.id, paths[-1])).get("files", [])
    return [(str(file["path"]), int(file.get("added", 0)), int(file.get("deleted", 0))) for file in files]


def _wait(child: Child, console: Console) -> None:
    console.print(
        Text.assemble("\nMoonMind keeps serving at ", (child.url(), "bold cyan"), ("; stop it with Ctrl-C.", "dim"))
    )
    try:
        while True:
            child.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("")


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _state_dir(folder: Path) -> Path:
    """Return the demo's own state folder, outside of any checkout; a removed demo folder takes its state with it."""
    base = ambient_environment().get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    state = Path(base).expanduser().absolute() / "moonmind" / f"demo-{mark}"
    if not (folder / "moonmind.db").exists() and state.exists():
        shutil.rmtree(state)
    return state


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the demo's folder for one demo at a time; raises Conflict."""
    keep_private()
    make_folder(folder, 0o750)
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another demo is running in {folder}",
                remediation="Wait for it, or start this one from another folder.",
            ) from None
        yield


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(Exit.TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
