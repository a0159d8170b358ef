"""Remove the files of runs that ended long ago: artifacts, workspaces, agent homes. Their rows stay."""

from collections.abc import Mapping
from typing import Any

import structlog

from moonmind.db.records import Run
from moonmind.db.unit_of_work import Database
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.ports.vcs import Vcs
from moonmind.runs.chain import Stage

log = structlog.get_logger(__name__)

_BATCH = 100


class Retention:
    """One setting, `MOONMIND_RETENTION_DAYS`, for all files of a run. Idempotent, and safe to run twice at once."""

    def __init__(self, database: Database, store: ArtifactStore, agent: Agent, vcs: Vcs, *, days: float) -> None:
        self._database = database
        self._store = store
        self._agent = agent
        self._vcs = vcs
        self._days = days

    def sweep(self) -> int:
        """Remove what is due and give the number of runs whose files went; one that fails is tried next time."""
        with self._database.read() as uow:
            expired = uow.runs.expired_files(self._days, _BATCH)
            mirrored = {run.id: _mirrored(run, uow.attempts.outputs(run.id)) for run in expired}
        removed = 0
        for run in expired:
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
                with self._database.write() as uow:
                    uow.runs.give_back_unpruned(run.id)
                continue
            removed += 1
        if removed:
            log.info("runs.pruned", count=removed)
        return removed


def _mirrored(run: Run, outputs: Mapping[Stage, Mapping[str, Any]]) -> str:
    """Give the name under which the run's objects are mirrored: the forge's, which a renamed repository has anew."""
    found = outputs.get(Stage.DISCOVER, {}).get("repository")
    return str(found["fullName"]) if isinstance(found, Mapping) and "fullName" in found else run.repository
