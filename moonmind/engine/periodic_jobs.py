"""What is to be done every hour or every day, in one process of the installation at a time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine.paced_loop import Loop
from moonmind.errors import MoonMindError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0
HALF = 0.5


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """Work that is due so many seconds after it was last begun, by the database's clock."""

    name: str
    seconds: float
    work: Callable[[Callable[[], bool]], object]
    """Is given a function that returns True once the work has to break off; the next time goes on."""


class PeriodicJobs:
    """Every process that heals looks whether a job is due; the row that says when decides which one does it.

    A process that dies in the middle is no loss: the job is due again a period later.
    """

    def __init__(
        self,
        database: Database,
        jobs: Sequence[PeriodicJob],
        *,
        look_seconds: float = LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._loop = Loop("periodic-jobs", look_seconds, self.look)

    def start(self) -> None:
        """Look now and then until closed."""
        self._loop.start()

    def close(self) -> None:
        """End the thread once the job that it is at has broken off."""
        self._loop.close()

    def look(self) -> None:
        """Do every job that is due and that no other process has begun."""
        for job in self._jobs:
            with self._database.write() as uow:
                taken = uow.cooldowns.begin(f"job/{job.name}", job.seconds, "done once in this time")
            if taken:
                self._do(job)

    def _do(self, job: PeriodicJob) -> None:
        # Broken off long before another process may begin it.
        end = self._clock() + job.seconds * HALF
        try:
            job.work(lambda: self._loop.closed or self._clock() >= end)
        except MoonMindError as error:
            log.warning("job.failed", job=job.name, error=error.message)
        except Exception:
            # A defect in one job must not keep the others from being done.
            log.exception("job.broke", job=job.name)
