"""See that a job has ended and make the runs due that wait for it: level-triggered, so that an outage loses nothing."""

import time

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import Notifier
from moonmind.engine.host import Host
from moonmind.engine.paced_loop import Loop
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent, JobState
from moonmind.runs.records import Run

log = structlog.get_logger(__name__)

PACE_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0
_BATCH = 1000


class JobPoller:
    """Polls the jobs of its own host that runs wait for through the port."""

    def __init__(
        self, database: Database, agent: Agent, notifier: Notifier, host: Host, *, pace_seconds: float = PACE_SECONDS
    ) -> None:
        self._database = database
        self._agent = agent
        self._notifier = notifier
        self._host = host
        self._loop = Loop("job-poller", pace_seconds, self.look)
        self._last_heartbeat = float("-inf")

    def start(self) -> None:
        """Look now and then until closed."""
        self._loop.start()

    def close(self) -> None:
        """End the thread after the look it is at."""
        self._loop.close()

    def look(self) -> None:
        """Record a heartbeat of this host, and wake every run of it whose job is not running any more."""
        self._heartbeat()
        with self._database.read() as uow:
            suspended = uow.wakeups.suspended_on_job(self._host.id, _BATCH)
        for run in suspended:
            if self._runs(run):
                continue
            with self._database.write() as uow:
                woken = uow.wakeups.wake(run.id)
            if woken is not None:
                log.info("attempt.woken", run_id=str(run.id))
                self._notifier.notify(woken)

    def _heartbeat(self) -> None:
        """Record that the host is alive: only here, since a host that nobody wakes runs on has to count as silent."""
        if time.monotonic() - self._last_heartbeat < HEARTBEAT_SECONDS:
            return
        with self._database.write() as uow:
            uow.hosts.register(self._host.id, self._host.name)
        self._last_heartbeat = time.monotonic()

    def _runs(self, run: Run) -> bool:
        if run.job_key is None:
            return False
        try:
            status = self._agent.poll(run.job_key)
            return status.state is JobState.RUNNING and status.overdue is None
        except MoonMindError as error:
            # One job that cannot be looked at must not keep the others asleep; its own run looks again by itself.
            log.warning("agent.not_polled", run_id=str(run.id), error=error.message)
        except Exception:
            log.exception("agent.not_polled", run_id=str(run.id))
        return True
