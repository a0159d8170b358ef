"""Remove the files of runs that ended long ago: artifacts, workspaces, agent homes. Their rows stay."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.ports.vcs import Vcs
from moonmind.runs.chain import Stage

log = structlog.get_logger(__name__)

Outputs = Mapping[Stage, Mapping[str, Any]]

FIRST_PAUSE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 86_400.0
"""A run whose files cannot be removed is left alone for so long at most before it is tried again."""


class Retention:
    """One setting, `MOONMIND_RETENTION_DAYS`, for all files of a run. Idempotent, and safe to run twice at once.

    `mirrored` returns the name under which a run's objects are mirrored, None where it was not recorded.
    """

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        agent: Agent,
        vcs: Vcs,
        *,
        mirrored: Callable[[Outputs], str | None],
        days: float,
        batch: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._agent = agent
        self._vcs = vcs
        self._mirrored = mirrored
        self._days = days
        self._batch = batch
        self._clock = clock
        self._refused: dict[UUID, tuple[int, float]] = {}
        """How often a run's files could not be removed, and until when they are left alone."""

    def sweep(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Remove what is due until `stop` returns True, and return the number of runs whose files went.

        A run whose files cannot be removed, whatever the reason, ends no sweep. It is tried again at the next one, then
        ever more seldom, and others take its place meanwhile.
        """
        now = self._clock()
        resting = [run_id for run_id, (_, until) in self._refused.items() if until > now]
        with self._database.read() as uow:
            expired = uow.runs.expired_files(self._days, self._batch, without=resting)
            mirrored = {run.id: self._mirrored(uow.attempts.results(run.id)) or run.repository for run in expired}
        removed = 0
        for run in expired:
            if stop():
                break
            with self._database.write() as uow:
                # Taken first: a run that an operator retries at this moment keeps its files.
                if not uow.runs.take_for_pruning(run.id):
                    continue
            try:
                self._agent.forget(str(run.id))
                self._vcs.forget(mirrored[run.id], run.id)
                self._store.delete(run.id)
            except MoonMindError as error:
                log.warning("run.not_pruned", run_id=str(run.id), error=error.message)
                self._give_back(run.id)
            except Exception:
                log.exception("run.not_pruned", run_id=str(run.id))
                self._give_back(run.id)
            else:
                self._refused.pop(run.id, None)
                removed += 1
        if removed:
            log.info("runs.pruned", count=removed)
        return removed

    def _give_back(self, run_id: UUID) -> None:
        times = self._refused.get(run_id, (0, 0.0))[0] + 1
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(times - 2, 16), LONGEST_PAUSE_SECONDS) if times > 1 else 0.0
        self._refused[run_id] = (times, self._clock() + pause)
        with self._database.write() as uow:
            uow.runs.give_back_unpruned(run_id)
