"""Turn "this run is due" into a dispatch request, off every request's path, and never hang for good."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.errors import DispatchError, MoonMindError
from moonmind.ports.dispatcher import Dispatcher, DispatchRequest
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run
from moonmind.runs.retry import DISPATCH_SECONDS, dispatch_interval

log = structlog.get_logger(__name__)

HANG_SECONDS = 20.0
MAX_ABANDONED = 3
BACKLOG = 10_000


class Notifier(Protocol):
    """Notifies whoever dispatches runs that one is due."""

    def notify(self, run: Run) -> None:
        """Have a run dispatched that was just made due, as the row left that write; raises nothing."""
        ...


class LeaveDue:
    """The command line's notifier: it dispatches nothing, and the next sweep of any running process finds the run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def notify(self, run: Run) -> None:
        """Make the run's dispatch due now, instead of seconds later."""
        try:
            with self._database.write() as uow:
                uow.dispatch.dispatch_now(run.id)
        except MoonMindError as error:
            # What the user asked for is written; the run is due by itself a moment later.
            log.warning("dispatch.not_recorded", run_id=str(run.id), error=error.message)


@dataclass(slots=True, eq=False)
class _Sender:
    """One dispatching thread's dispatcher and what it is at."""

    dispatcher: Dispatcher
    busy_since: float | None = None
    abandoned: bool = False


class DispatchLoop:
    """One thread with confirms and a bounded backlog; what overflows is the janitor's.

    A dispatcher may block without limit (a broker under a memory alarm): after `hang_seconds` its thread is abandoned
    and another one started, until `max_abandoned` threads hang.
    """

    def __init__(
        self,
        database: Database,
        dispatchers: Callable[[], Dispatcher],
        *,
        hang_seconds: float = HANG_SECONDS,
        max_abandoned: int = MAX_ABANDONED,
        backlog: int = BACKLOG,
    ) -> None:
        self._database = database
        self._dispatchers = dispatchers
        self._hang_seconds = hang_seconds
        self._max_abandoned = max_abandoned
        self._waiting: queue.Queue[tuple[Run, bool] | None] = queue.Queue(backlog)
        self._guard = threading.Lock()
        self._sender: _Sender | None = None
        self._hung: set[_Sender] = set()
        """Abandoned threads that have not come back from the broker."""
        self._closed = False

    def notify(self, run: Run) -> None:
        """Dispatch a run that was just made due; that write has already said when it is dispatched again."""
        self._enqueue(run, overdue=False)

    def overdue(self, run: Run) -> None:
        """Dispatch a run again whose last request nobody followed; skipped when another process was faster."""
        self._enqueue(run, overdue=True)

    def _enqueue(self, run: Run, *, overdue: bool) -> None:
        if self._closed:
            return
        try:
            self._waiting.put_nowait((run, overdue))
        except queue.Full:
            log.warning("dispatch.dropped", run_id=str(run.id))
        self._ensure_sender()

    @property
    def ready(self) -> bool:
        """Return True if requests can leave: not while as many threads hang in the broker as may."""
        return len(self._hung) < self._max_abandoned

    def watch(self) -> None:
        """Replace a thread whose dispatch hangs; the janitor calls this on every sweep."""
        with self._guard:
            sender = self._sender
            since = sender.busy_since if sender is not None else None
            if sender is None or since is None or time.monotonic() - since < self._hang_seconds:
                return
            sender.abandoned = True
            self._sender = None
            self._hung.add(sender)
            hung = len(self._hung)
        log.error("dispatch.abandoned", count=hung)
        if self._waiting.qsize():
            self._ensure_sender()

    def close(self) -> None:
        """Dispatch what waits, within reason, and end."""
        self._closed = True
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return  # nobody takes anything any more; the rows are dispatched by another process
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._guard:
                if self._sender is None:
                    return
            time.sleep(0.01)  # a poll with a deadline: the sender may hang in the broker, and is a daemon thread

    def _ensure_sender(self) -> None:
        with self._guard:
            if self._sender is not None or not self.ready:
                return
            sender = _Sender(self._dispatchers())
            try:
                threading.Thread(target=self._run, args=(sender,), name="dispatch-loop", daemon=True).start()
            except RuntimeError as error:
                # No thread to be had now; the next request tries again, and the janitor repeats this one.
                log.error("dispatch.not_started", error=str(error))
                return
            self._sender = sender

    def _run(self, sender: _Sender) -> None:
        while not sender.abandoned:
            item = self._waiting.get()
            if item is None:
                break
            sender.busy_since = time.monotonic()
            try:
                self._send(sender, *item)
            except Exception:
                # The one loop that must survive a defect: a request lost here is repeated by the janitor.
                log.exception("dispatch.failed", run_id=str(item[0].id))
            sender.busy_since = None
        with self._guard:
            self._hung.discard(sender)
            if self._sender is sender:
                self._sender = None
        if self._waiting.qsize() and not self._closed:
            self._ensure_sender()

    def _send(self, sender: _Sender, run: Run, overdue: bool) -> None:
        noted = self._note(run) if overdue else run
        if noted is None:
            return
        try:
            sender.dispatcher.dispatch(_request(noted, overdue=overdue))
        except DispatchError as error:
            log.warning("dispatch.unconfirmed", run_id=str(run.id), error=error.message)
            self._take_back(run)

    def _note(self, run: Run) -> Run | None:
        """Record that the run is dispatched again now; None when it is not to be, or another process was faster."""
        try:
            with self._database.write() as uow:
                return uow.dispatch.note(run.id, dispatches=run.dispatches)
        except MoonMindError as error:
            log.warning("dispatch.not_recorded", run_id=str(run.id), error=error.message)
            return None

    def _take_back(self, run: Run) -> None:
        """Record that the broker did not take the request, so that it is tried again soon."""
        try:
            with self._database.write() as uow:
                uow.dispatch.unconfirmed(run.id)
        except MoonMindError as error:
            log.warning("dispatch.not_recorded", run_id=str(run.id), error=error.message)


def _request(run: Run, *, overdue: bool) -> DispatchRequest:
    """Describe the chain that a run asks for; the first after creation or a retry has the id that the row promised."""
    promised = run.status in {RunStatus.PENDING, RunStatus.RETRYING} and not overdue
    seconds = dispatch_interval(max(run.dispatches - 1, 0)) if overdue else DISPATCH_SECONDS
    return DispatchRequest(run.id, run.stage, run.chain_id if promised else uuid4(), seconds)
