"""Follow a run to its end: look, show what is new, look again."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from moonmind.cli.agent_log import Entry, LogReader
from moonmind.cli.session import find_run
from moonmind.errors import NotFound
from moonmind.services.run_service import RunService
from moonmind.wire import RunEvent, SpecWorkflowRun

PACE_SECONDS = 0.4
PIECE = 1 << 20
"""A source gives at least this much at once, where there is as much."""


class Source(Protocol):
    """Where a run is looked at: the service in this process, or a server."""

    def look(self) -> SpecWorkflowRun:
        """Return the run's current state, with tasks and artifacts."""
        ...

    def log(self, path: str, start: int) -> bytes:
        """Return the artifact's bytes from offset `start` on; empty if it does not exist yet."""
        ...

    def requests(self) -> Sequence[RunEvent]:
        """Return what people have asked of the run so far."""
        ...


class View(Protocol):
    """What shows a run that moves."""

    def show(self, run: SpecWorkflowRun, entries: list[Entry], asked: Sequence[RunEvent]) -> None:
        """Show the run as it stands, what the agent has said since the last time, and all that people have asked of it."""
        ...


class ServiceSource:
    """Looks at a run through the run service of this process."""

    def __init__(self, runs: RunService, run_id: str) -> None:
        self._runs = runs
        self._id = find_run(runs, run_id)

    def look(self) -> SpecWorkflowRun:
        """See `Source`."""
        return self._runs.get(self._id)

    def log(self, path: str, start: int) -> bytes:
        """See `Source`."""
        try:
            return b"".join(self._runs.open_artifact(self._id, path, start=start, length=PIECE).chunks)
        except NotFound:
            return b""

    def requests(self) -> Sequence[RunEvent]:
        """See `Source`."""
        return self._runs.requests(self._id)


def log_of(run: SpecWorkflowRun) -> tuple[str, int | None] | None:
    """Find the newest log of the agent, and its size once it has stopped growing."""
    logs = [artifact for artifact in run.artifacts or [] if artifact.artifact_type == "codex_logs"]
    if logs:
        return logs[-1].path, logs[-1].size_bytes
    return None if run.codex_logs_path is None else (run.codex_logs_path, None)


class LogTail:
    """Reads the agent's log of a run on, and a next attempt's log from its beginning."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._path: str | None = None
        self._position = 0
        self._reader = LogReader()

    def more(self, run: SpecWorkflowRun) -> list[Entry]:
        """Return the entries written since the last call."""
        before = self._reader
        entries = [entry for piece in self.pieces(run) for entry in self._reader.feed(piece)]
        return entries if self._reader is before else [*before.unfinished(), *entries]

    def last(self) -> list[Entry]:
        """Return the entries of an ended log after its last line feed, and of what has not finished in it."""
        return list(self._reader.finish())

    def pieces(self, run: SpecWorkflowRun) -> Iterator[bytes]:
        """Yield the bytes written since the last call; `more` returns the same as entries."""
        log = log_of(run)
        if log is None:
            return
        path, size = log
        if path != self._path:
            self._path, self._position, self._reader = path, 0, LogReader()
        while size is None or self._position < size:
            piece = self._source.log(path, self._position)
            self._position += len(piece)
            if piece:
                yield piece
            if len(piece) < PIECE:
                return


def follow(
    source: Source,
    view: View,
    *,
    pace: float = PACE_SECONDS,
    check: Callable[[], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    until: Callable[[SpecWorkflowRun], bool] | None = None,
) -> SpecWorkflowRun:
    """Show a run until it has ended, or is what `until` waits for, and return it as it is then.

    `check` may raise to stop it; `meanwhile` is called after each look at a run that has not ended.
    """
    tail = LogTail(source)
    before: SpecWorkflowRun | None = None
    asked: Sequence[RunEvent] = ()
    while True:
        if check is not None:
            check()
        run = source.look()
        if before is None or run.updated_at != before.updated_at:  # each request changes it
            asked = source.requests()
        before = run
        entries = tail.more(run)
        if run.status.terminal:
            view.show(run, [*entries, *tail.last()], asked)
            return run
        view.show(run, entries, asked)
        if until is not None and until(run):
            return run
        if meanwhile is not None:
            meanwhile()
        time.sleep(pace)
