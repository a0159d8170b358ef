"""Runs for tests of the terminal: as values to draw, and as rows with files in an installation."""

import fcntl
from datetime import UTC, datetime, timedelta
from typing import IO, Any
from uuid import UUID

from moonmind.db.clock import db_now
from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, RunStatus
from moonmind.runs.records import Run
from moonmind.settings import load_settings
from moonmind.wire import SpecWorkflowRun, TaskName, WorkflowTaskState
from tests.support.databases import reach, set_columns

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE = (TaskName.DISCOVER, TaskName.SUBMIT, TaskName.APPLY, TaskName.PUBLISH, TaskName.FINALIZE)


class Worker:
    """Whoever runs the embedded engine holds its lock."""

    def __init__(self, lock: IO[str]) -> None:
        self._lock = lock

    def come(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def leave(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)


def a_run(done: int = 0, **given: Any) -> SpecWorkflowRun:
    """Make a run whose first `done` stages have succeeded."""
    tasks = []
    for position, name in enumerate(FIVE):
        begun = NOW + timedelta(seconds=position)
        if position < done:
            task = WorkflowTaskState(
                task_name=name, state=AttemptState.SUCCEEDED, started_at=begun, finished_at=begun + timedelta(seconds=1)
            )
        else:
            task = WorkflowTaskState(task_name=name, state=AttemptState.WAITING)
        tasks.append(task)
    values: dict[str, Any] = {
        "id": UUID("11111111-2222-4333-8444-555555555555"),
        "repository": "acme/rockets",
        "status": RunStatus.SUCCEEDED if done == len(FIVE) else RunStatus.RUNNING if done else RunStatus.PENDING,
        "created_at": NOW,
        "completed_at": NOW + timedelta(seconds=5) if done == len(FIVE) else None,
        "tasks": tasks,
        "artifacts": [],
    }
    return SpecWorkflowRun(**(values | given))


def succeed(database: Database, **columns: Any) -> Run:
    """Create a run and let it succeed: with all but the last stage done, and these columns."""
    run = reach(
        database, Stage.FINALIZE, **{name: columns.pop(name) for name in ("id", "repository") if name in columns}
    )
    end(database, run.id, RunStatus.SUCCEEDED, **columns)
    return run


def end(database: Database, run_id: UUID, status: RunStatus, **columns: Any) -> None:
    """End a run with this status, and these columns."""
    set_columns(database, run_id, status=status, completed_at=db_now(), lease_owner=None, lease_until=None, **columns)


def keep(database: Database, run_id: UUID, kind: str, path: str, content: bytes, *, sealed: bool = True) -> None:
    """List a file of a run, and write it where the artifact store of these settings has it."""
    place = load_settings().artifact_root / str(run_id) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    size = len(content) if sealed else None
    with database.write() as unit:
        unit.artifacts.save(run_id, type=kind, path=path, content_type="text/plain", size=size, digest=None)
