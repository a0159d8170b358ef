"""The three ways to show a run that moves: drawn in place, as plain lines, as JSON lines."""

from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from moonmind.cli.agent_log import Entry
from moonmind.cli.moments import between
from moonmind.cli.plain import one_line
from moonmind.cli.stages import chain, ending, entry_text, heading, note, stage_table, state_of, words
from moonmind.wire import SpecWorkflowRun

_SHOWN_ENTRIES = 6
_FRAMES_PER_SECOND = 10


class LiveView:
    """Draws the run in place on a terminal, and leaves the last picture standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run: SpecWorkflowRun | None = None
        self._entries: deque[Entry] = deque(maxlen=_SHOWN_ENTRIES)
        self._live = Live(
            console=console, get_renderable=self._picture, refresh_per_second=_FRAMES_PER_SECOND, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, run: SpecWorkflowRun, entries: list[Entry]) -> None:
        """See `View`."""
        self._run = run
        self._entries.extend(entries)
        self._live.refresh()

    def _picture(self) -> RenderableType:
        run = self._run
        if run is None:
            return Text("")
        parts: list[RenderableType] = [Text(""), heading(run), Text("")]
        parts.append(stage_table(run, self._console, live=not run.status.terminal))
        if self._entries:
            parts += [Text(""), Text("agent", "dim"), words(self._entries)]
        if run.status.terminal:
            parts += [Text(""), ending(run)]
        return Group(*parts)


class LineView:
    """Writes one line for each thing that changed; for pipes, files and dumb terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._named = ""
        self._seen: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def show(self, run: SpecWorkflowRun, entries: list[Entry]) -> None:
        """See `View`."""
        named = heading(run).plain
        if named != self._named:
            self._named = named
            self._line(named.replace("\n", "  "))
        discover, submit, *rest = [
            (task.task_name.value, self._said(run, index)) for index, task in enumerate(chain(run))
        ]
        # In the order in which it came about: the agent speaks between the beginning and the end of submit.
        self._change(*discover)
        if submit[1].startswith("started"):
            self._change(*submit)
        for entry in entries:
            self._line(f"  agent     {one_line(entry_text(entry).plain)}")
        for stage in (submit, *rest):
            self._change(*stage)
        if run.status.terminal:
            self._console.print(ending(run))

    def _said(self, run: SpecWorkflowRun, index: int) -> str:
        task = chain(run)[index]
        state = state_of(task, run)
        if state in {"waiting", "skipped"}:
            return ""
        took = between(task.started_at, task.finished_at) if task.finished_at else ""
        return "  ".join(part for part in (state, took, note(task, run)) if part)

    def _change(self, name: str, said: str) -> None:
        if not said or self._seen.get(name) == said:
            return
        self._seen[name] = said
        self._line(f"  {name:<9} {said}")

    def _line(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class JsonView:
    """Writes the whole run as one line of JSON each time it has changed."""

    def __init__(self) -> None:
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def show(self, run: SpecWorkflowRun, entries: list[Entry]) -> None:  # noqa: ARG002 - `logs --json` gives the log
        """See `View`."""
        body = run.model_dump_json(by_alias=True)
        if body != self._last:
            self._last = body
            print(body, flush=True)


def view_for(console: Console) -> LiveView | LineView:
    """Choose what the stream can show."""
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else LineView(console)
