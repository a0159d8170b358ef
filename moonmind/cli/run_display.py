"""The three ways to show a run that moves: drawn in place, as plain lines, as JSON lines."""

from collections import deque
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from moonmind.cli.agent_log import Entry
from moonmind.cli.durations import between
from moonmind.cli.question import question, question_lines
from moonmind.cli.run_drawing import (
    chain,
    ending,
    entry_text,
    facts,
    heading,
    note,
    request,
    requests,
    stage_table,
    state_of,
    verdict,
    words,
)
from moonmind.cli.terminal_text import one_line
from moonmind.wire import RunEvent, SpecWorkflowRun, WorkflowTaskState

_SHOWN_ENTRIES = 6
_FRAMES_PER_SECOND = 10


class LiveView:
    """Draws the run in place on a terminal, and leaves the last picture standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run: SpecWorkflowRun | None = None
        self._asked: Sequence[RunEvent] = ()
        self._moves = True
        self._entries: deque[Entry] = deque(maxlen=_SHOWN_ENTRIES)
        self._live = self._new()

    def _new(self) -> Live:
        return Live(
            console=self._console, get_renderable=self._picture, refresh_per_second=_FRAMES_PER_SECOND, transient=False
        )

    def __enter__(self) -> Self:
        self._moves, self._live = True, self._new()
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # An interrupt leaves the last picture standing: nothing in it may look as if it still turned.
        self._moves = False
        self._live.stop()

    def show(self, run: SpecWorkflowRun, entries: list[Entry], asked: Sequence[RunEvent] = ()) -> None:
        """See `View`."""
        self._run, self._asked = run, asked
        self._entries.extend(entries)
        self._live.refresh()

    def _picture(self) -> RenderableType:
        run = self._run
        if run is None:
            return Text("")
        parts: list[RenderableType] = [Text(""), heading(run), *requests(self._asked), Text("")]
        parts.append(stage_table(run, self._console, live=self._moves and not run.status.terminal))
        if self._entries:
            parts += [Text(""), Text("agent", "dim"), words(self._entries)]
        if run.status.terminal:
            parts += [Text(""), ending(run)]
        elif (asked := question(run)) is not None:
            parts += [Text(""), asked]
        return Group(*parts)


class _PlainView:
    """A view that leaves nothing to be ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        return None


class LineView(_PlainView):
    """Writes one line for each thing that changed; for pipes, files and dumb terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._named = ""
        self._told: set[str] = set()
        self._asked = 0

    def show(self, run: SpecWorkflowRun, entries: list[Entry], asked: Sequence[RunEvent] = ()) -> None:
        """See `View`."""
        named = heading(run).plain
        if named != self._named:
            self._named = named
            self._line(named.replace("\n", "  "))
        for event in asked[self._asked :]:
            self._line(request(event).plain)
        self._asked = max(self._asked, len(asked))
        discover, submit, *rest = chain(run)
        # In the order in which it came about: the agent speaks between the beginning and the end of submit.
        self._stage(discover, run)
        if state_of(submit, run) == "started":
            self._stage(submit, run)
        for entry in entries:
            self._line(f"  agent     {one_line(entry_text(entry).plain)}")
        for task in (submit, *rest):
            self._stage(task, run)
        if run.status.terminal:
            for said in verdict(run):
                self._line(said.plain)
            for name, value in facts(run):
                self._line(f"{name:<12}  {value.plain}")

    def _stage(self, task: WorkflowTaskState, run: SpecWorkflowRun) -> None:
        state, said = state_of(task, run), note(task, run)
        if state in {"waiting", "skipped"}:
            return
        name, attempt = task.task_name.value, f"{task.retry_count} {task.started_at}"
        if state == "started":
            self._once(f"{name} {attempt} started", name, "started")
            if run.cancel_requested_at is not None:
                self._once(f"{name} cancelled", name, said)
            elif said and run.waiting is not None:
                # Once for each reason: until when it waits moves on with every look at what it waits for.
                self._once(f"{name} {attempt} {run.waiting.reason}", name, said)
                asked = None if run.attention is None else run.attention.question
                for line in question_lines(run):
                    self._once(f"{name} {attempt} {asked} {line}", name, line)
            return
        took = between(task.started_at, task.finished_at) if task.finished_at else ""
        line = "  ".join(part for part in (state, took, said) if part)
        self._once(f"{name} {attempt} {state} {task.finished_at}", name, line)

    def _once(self, key: str, name: str, said: str) -> None:
        if said and key not in self._told:
            self._told.add(key)
            self._line(f"  {name:<9} {said}")

    def _line(self, text: str) -> None:
        self._console.print(Text(text.rstrip()), soft_wrap=True)


class JsonView(_PlainView):
    """Writes the whole run as one line of JSON each time it has changed."""

    def __init__(self) -> None:
        self._last = ""

    def show(
        self,
        run: SpecWorkflowRun,
        entries: list[Entry],  # noqa: ARG002 - `logs --json` gives the log
        asked: Sequence[RunEvent] = (),  # noqa: ARG002 - the API gives the events
    ) -> None:
        """See `View`."""
        body = run.model_dump_json(by_alias=True)
        if body != self._last:
            self._last = body
            print(body, flush=True)


def view_for(console: Console) -> LiveView | LineView:
    """Choose what the stream can show."""
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else LineView(console)
