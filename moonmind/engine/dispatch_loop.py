"""Turn "this run is due" into a published hint, off every request's path, and never hang for good."""

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
from moonmind.ports.dispatcher import Dispatcher, Hint
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run
from moonmind.runs.retry import HINT_SECONDS, hint_interval

log = structlog.get_logger(__name__)

HANG_SECONDS = 20.0
"""A publish may block without limit (a broker under a memory alarm): after this long its thread is abandoned."""
MAX_ABANDONED = 3
_BACKLOG = 10_000


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
class _Courier:
    """One publishing thread's dispatcher and what it is at."""

    dispatcher: Dispatcher
    busy_since: float | None = None
    abandoned: bool = False


class Publisher:
    """One thread with broker confirms and a bounded backlog; what overflows is the janitor's."""

    def __init__(self, database: Database, dispatchers: Callable[[], Dispatcher]) -> None:
        self._database = database
        self._dispatchers = dispatchers
        self._waiting: queue.Queue[tuple[Run, bool] | None] = queue.Queue(_BACKLOG)
        self._guard = threading.Lock()
        self._courier: _Courier | None = None
        self._hung: set[_Courier] = set()
        """Abandoned threads that have not come back from the broker."""
        self._closed = False

    def notify(self, run: Run) -> None:
        """Publish the chain of a run that was just made due; that write has already said when it is announced again."""
        self._enqueue(run, overdue=False)

    def overdue(self, run: Run) -> None:
        """Publish again for a run whose last hint nobody followed; skipped when another process was faster."""
        self._enqueue(run, overdue=True)

    def _enqueue(self, run: Run, *, overdue: bool) -> None:
        if self._closed:
            return
        try:
            self._waiting.put_nowait((run, overdue))
        except queue.Full:
            log.warning("hint.dropped", run_id=str(run.id))
        self._ensure_courier()

    @property
    def ready(self) -> bool:
        """Return True if messages can be sent; False while three threads hang in the broker."""
        return len(self._hung) < MAX_ABANDONED

    def watch(self) -> None:
        """Replace a thread whose publish hangs; the janitor calls this on every sweep."""
        with self._guard:
            courier = self._courier
            since = courier.busy_since if courier is not None else None
            if courier is None or since is None or time.monotonic() - since < HANG_SECONDS:
                return
            courier.abandoned = True
            self._courier = None
            self._hung.add(courier)
            hung = len(self._hung)
        log.error("publisher.abandoned", count=hung)
        if self._waiting.qsize():
            self._ensure_courier()

    def close(self) -> None:
        """Publish what waits, within reason, and end."""
        self._closed = True
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return  # nobody takes anything any more; the rows are announced by another process
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._guard:
                if self._courier is None:
                    return
            time.sleep(0.01)  # a poll with a deadline: the courier may hang in the broker, and is a daemon thread

    def _ensure_courier(self) -> None:
        with self._guard:
            if self._courier is not None or not self.ready:
                return
            courier = _Courier(self._dispatchers())
            try:
                threading.Thread(target=self._run, args=(courier,), name="publisher", daemon=True).start()
            except RuntimeError as error:
                # No thread to be had now; the next hint tries again, and the janitor repeats this one.
                log.error("publisher.not_started", error=str(error))
                return
            self._courier = courier

    def _run(self, courier: _Courier) -> None:
        while not courier.abandoned:
            item = self._waiting.get()
            if item is None:
                break
            courier.busy_since = time.monotonic()
            try:
                self._send(courier, *item)
            except Exception:
                # The one loop that must survive a defect: a hint lost here is sent again by the janitor.
                log.exception("publisher.failed", run_id=str(item[0].id))
            courier.busy_since = None
        courier.dispatcher.close()
        with self._guard:
            self._hung.discard(courier)
            if self._courier is courier:
                self._courier = None
        if self._waiting.qsize() and not self._closed:
            self._ensure_courier()

    def _send(self, courier: _Courier, run: Run, overdue: bool) -> None:
        noted = self._note(run) if overdue else run
        if noted is None:
            return
        try:
            courier.dispatcher.publish(_hint(noted, overdue=overdue))
        except DispatchError as error:
            log.warning("hint.unconfirmed", run_id=str(run.id), error=error.message)
            self._take_back(run)

    def _note(self, run: Run) -> Run | None:
        """Write down that the run is announced again now; None when it is not to be, or another process was faster."""
        try:
            with self._database.write() as uow:
                return uow.dispatch.hint(run.id, hints=run.hints)
        except MoonMindError as error:
            log.warning("hint.not_recorded", run_id=str(run.id), error=error.message)
            return None

    def _take_back(self, run: Run) -> None:
        """Write down that the broker did not take the hint, so that it is tried again soon."""
        try:
            with self._database.write() as uow:
                uow.dispatch.unconfirmed(run.id)
        except MoonMindError as error:
            log.warning("hint.not_recorded", run_id=str(run.id), error=error.message)


def _hint(run: Run, *, overdue: bool) -> Hint:
    """Describe the chain that a run asks for; the first after creation or a retry has the id that the row promised."""
    promised = run.status in {RunStatus.PENDING, RunStatus.RETRYING} and not overdue
    seconds = hint_interval(max(run.hints - 1, 0)) if overdue else HINT_SECONDS
    return Hint(run.id, run.stage, run.chain_id if promised else uuid4(), seconds)
