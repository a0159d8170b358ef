"""Send again what was lost, take back what was abandoned: a sweep that any process may run at any time."""

import time
from collections.abc import Iterable
from uuid import UUID

import structlog

from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.host import Host
from moonmind.engine.paced_loop import Loop
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent
from moonmind.runs import naming
from moonmind.runs.records import Run
from moonmind.runs.retry import RetryPolicy

log = structlog.get_logger(__name__)

BATCH = 100
GAP_SECONDS = 30.0
"""Between two sweeps: more than this and the janitor cannot say that it watched all the time."""
REAP_SECONDS = 5.0


class Janitor:
    """Idempotent and unelected: two janitors at once only do the same thing, and the rows decide who was first."""

    def __init__(
        self,
        database: Database,
        dispatch_loop: DispatchLoop,
        agent: Agent,
        host: Host,
        policy: RetryPolicy,
        *,
        pace_seconds: float,
        host_silence_seconds: float,
    ) -> None:
        self._database = database
        self._dispatch_loop = dispatch_loop
        self._agent = agent
        self._host = host
        self._policy = policy
        self._silence = host_silence_seconds
        self._loop = Loop("janitor", pace_seconds, self.sweep)
        self._pace = pace_seconds
        self._watching_since: float | None = None
        self._last_sweep = float("-inf")
        self._last_reaping = float("-inf")

    def start(self) -> None:
        """Sweep now and then until closed."""
        self._loop.start()

    def close(self) -> None:
        """End the thread after the sweep it is in."""
        self._loop.close()

    def sweep(self) -> None:
        """Do one round: expired leases, unanswered questions, silent hosts, agents of ended runs, lost dispatches."""
        self._dispatch_loop.watch()
        self._expire()
        with self._database.write() as uow:
            for run in uow.rescues.close_unanswered():
                log.warning("run.unanswered", run_id=str(run.id))
        self._give_up_hosts()
        self._reap()
        with self._database.read() as uow:
            due = uow.dispatch.overdue(BATCH)
        for run in due:
            self._dispatch_loop.overdue(run)

    def _expire(self) -> None:
        with self._database.write() as uow:
            expired = uow.rescues.expire_leases(self._policy.max_crashes)
            woken = self._free_slots(uow, expired)
        for run in expired:
            log.warning("lease.expired", run_id=str(run.id), stage=run.stage.value, crashes=run.crashes)
        for run in woken:
            self._dispatch_loop.notify(run)

    def _free_slots(self, uow: UnitOfWork, runs: Iterable[Run]) -> list[Run]:
        freed = [run.id for run in runs if run.status.terminal and uow.slots.free(run.id)]
        return uow.wakeups.wake_capacity(len(freed)) if freed else []

    def _give_up_hosts(self) -> None:
        """Free the runs of hosts that fell silent, once we have watched for as long without a gap ourselves.

        When the database itself was away, all hosts look silent at first; they are given the time for another heartbeat.
        """
        now = time.monotonic()
        if self._watching_since is None or now - self._last_sweep > max(3 * self._pace, GAP_SECONDS):
            self._watching_since = now
        self._last_sweep = now
        if now - self._watching_since < self._silence:
            return
        with self._database.write() as uow:
            for host_id in uow.rescues.silent_hosts(self._silence):
                for run in uow.rescues.give_up_host(host_id, self._policy.max_crashes):
                    log.warning("host.lost", run_id=str(run.id), host=str(host_id))
            stranded = uow.rescues.close_stranded(self._silence)
            woken = self._free_slots(uow, stranded)
        for run in stranded:
            log.warning("run.stranded", run_id=str(run.id), host=str(run.agent_host))
        for run in woken:
            self._dispatch_loop.notify(run)

    def _reap(self) -> None:
        """Stop agents of this host whose runs have ended without them: given up, or closed by a dying process."""
        if time.monotonic() - self._last_reaping < REAP_SECONDS:
            return
        with self._database.read() as uow:
            ended = uow.rescues.ended_with_job(self._host.id, BATCH)
        for run in ended:
            if self._stop_agent(run):
                with self._database.write() as uow:
                    uow.rescues.forget_job(run.id)
        self._reap_orphans()
        self._last_reaping = time.monotonic()

    def _reap_orphans(self) -> None:
        """Stop agents at work here whose runs went on without this host, while it was cut off or its workers were gone."""
        at_work: dict[UUID, list[str]] = {}
        for key in self._agent.running():
            if (run_id := naming.run_of_job(key)) is not None:
                at_work.setdefault(run_id, []).append(key)
        if not at_work:
            return
        with self._database.read() as uow:
            orphans = uow.rescues.orphans(self._host.id, at_work)
        for run_id in orphans:
            for key in at_work[run_id]:
                log.warning("agent.orphan", run_id=str(run_id), job=key)
                self._stop_job(run_id, key)

    def _stop_agent(self, run: Run) -> bool:
        """Stop the agent of an ended run; False where that has to be tried again."""
        if run.job_key is None:
            return False
        # It may have waited for a slot that a build or another run's job holds.
        owner = naming.run_of_job(run.job_key)
        others = naming.is_build(run.job_key) or owner not in (None, run.id)
        return others or self._stop_job(run.id, run.job_key)

    def _stop_job(self, run_id: UUID, key: str) -> bool:
        try:
            self._agent.stop(key)
        except MoonMindError as error:
            log.error("agent.not_stopped", run_id=str(run_id), error=error.message)
            return False
        return True
