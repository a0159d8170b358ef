"""Send again what was lost, take back what was abandoned: a sweep that any process may run at any time."""

import time

import structlog

from moonmind.db.records import Run
from moonmind.db.unit_of_work import Database
from moonmind.engine.host import Host
from moonmind.engine.loop import Loop
from moonmind.engine.publisher import Publisher
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent
from moonmind.runs.retry import RetryPolicy

log = structlog.get_logger(__name__)

BATCH = 100
_HOST_BEAT_SECONDS = 10.0


class Janitor:
    """Idempotent and unelected: two janitors at once only do the same thing, and the rows decide who was first."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        agent: Agent,
        host: Host,
        policy: RetryPolicy,
        *,
        pace_seconds: float,
        host_silence_seconds: float,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._agent = agent
        self._host = host
        self._policy = policy
        self._silence = host_silence_seconds
        self._loop = Loop("janitor", pace_seconds, self.sweep)
        self._last_host_beat = float("-inf")

    def start(self) -> None:
        """Sweep now and then until closed."""
        self._loop.start()

    def close(self) -> None:
        """End the thread after the sweep it is in."""
        self._loop.close()

    def sweep(self) -> None:
        """Do one round: expired leases, unanswered questions, silent hosts, hints that nobody followed."""
        self._publisher.watch()
        self._beat()
        with self._database.write() as uow:
            expired = uow.recovery.expire_leases(self._policy.max_crashes)
            freed = [run.id for run in expired if run.status.terminal and uow.slots.free(run.id)]
            woken = uow.recovery.wake_capacity(len(freed)) if freed else []
        for run in woken:
            self._publisher.soon(run)
        for run in expired:
            log.warning("lease.expired", run_id=str(run.id), stage=run.stage.value, crashes=run.crashes)
            if run.status.terminal:
                self._stop_agent(run)
        with self._database.write() as uow:
            for run in uow.recovery.close_unanswered():
                log.warning("run.unanswered", run_id=str(run.id))
        with self._database.read() as uow:
            due = uow.recovery.due_for_hint(BATCH)
        for run in due:
            self._publisher.overdue(run)

    def _beat(self) -> None:
        if time.monotonic() - self._last_host_beat < _HOST_BEAT_SECONDS:
            return
        with self._database.write() as uow:
            uow.hosts.enrol(self._host.id, self._host.name)
            for host_id in uow.recovery.silent_hosts(self._silence):
                for run in uow.recovery.give_up_host(host_id, self._policy.max_crashes):
                    log.warning("host.lost", run_id=str(run.id), host=str(host_id))
        self._last_host_beat = time.monotonic()

    def _stop_agent(self, run: Run) -> None:
        """Stop the agent of a run that was given up, if it lives here."""
        if run.job_key is None or run.agent_host != self._host.id:
            return
        try:
            self._agent.stop(run.job_key)
        except MoonMindError as error:
            log.error("agent.not_stopped", run_id=str(run.id), error=error.message)
