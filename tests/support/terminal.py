"""A container without a database: runs in a dictionary, held to what the commands ask of the real one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from moonmind import wire
from moonmind.errors import NotCancellable, NotFound, NotRetryable
from moonmind.ports.check import Check
from moonmind.runs.machine import AttemptState, RunStatus
from moonmind.runtime.server_file import ServerInfo
from moonmind.settings import Settings
from moonmind.wire import SpecWorkflowRun, TaskName, WorkflowArtifact, WorkflowTaskState

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE = (TaskName.DISCOVER, TaskName.SUBMIT, TaskName.APPLY, TaskName.PUBLISH, TaskName.FINALIZE)


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


@dataclass
class Content:
    growing: bool
    chunks: Iterator[bytes]


@dataclass
class Runs:
    """Each run is the list of what successive looks see; the last stays."""

    kept: dict[UUID, list[SpecWorkflowRun]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def add(self, *looks: SpecWorkflowRun) -> SpecWorkflowRun:
        self.kept[looks[0].id] = list(looks)
        return looks[0]

    def create(self, body: wire.CreateRun, *, idempotency_key: str | None = None) -> SpecWorkflowRun:
        self.asked.append(body)
        made = a_run(repository=body.repository, feature_key=body.feature_key)
        if made.id not in self.kept:
            self.add(made)
        return made

    def get(self, run_id: UUID) -> SpecWorkflowRun:
        if run_id not in self.kept:
            raise NotFound(f"there is no run {run_id}")
        looks = self.kept[run_id]
        return looks.pop(0) if len(looks) > 1 else looks[0]

    def page(
        self, *, status: str | None = None, repository: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> wire.RunPage:
        found = [looks[0] for looks in self.kept.values()]
        found = [run for run in found if status in {None, run.status} and repository in {None, run.repository}]
        start = int(cursor or 0)
        after = start + limit
        return wire.RunPage(items=found[start:after], next_cursor=str(after) if after < len(found) else None)

    def open_artifact(self, run_id: UUID, path: str, *, start: int = 0, length: int | None = None) -> Content:
        if path not in self.files:
            raise NotFound(f"the run has no artifact {path!r}")
        return Content(False, iter([self.files[path][start : None if length is None else start + length]]))

    def retry(self, run_id: UUID, body: wire.RetryRun) -> SpecWorkflowRun:
        self.asked.append(body)
        run = self.get(run_id)
        if run.status is not RunStatus.FAILED:
            raise NotRetryable(f"the run is {run.status}")
        return run.model_copy(update={"status": RunStatus.RETRYING})

    def cancel(self, run_id: UUID) -> SpecWorkflowRun:
        run = self.get(run_id)
        if run.status.terminal:
            raise NotCancellable(f"the run has already ended: {run.status}")
        return run.model_copy(update={"status": RunStatus.CANCELLED, "completed_at": NOW})


@dataclass
class Preflight:
    checks: list[Check] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)

    def run(self, repository: str | None) -> list[Check]:
        self.asked.append(repository)
        return self.checks


@dataclass
class Session:
    settings: Settings
    runs: Runs = field(default_factory=Runs)
    preflight: Preflight = field(default_factory=Preflight)
    found: ServerInfo | None = field(default_factory=lambda: ServerInfo("http://127.0.0.1:8000", 1))
    closed: int = 0

    def doctor(self, repository: str | None = None) -> list[Check]:
        return self.preflight.run(repository)

    def attended(self) -> bool:
        return self.found is not None

    def server(self) -> ServerInfo | None:
        return self.found

    def close(self) -> None:
        self.closed += 1


def with_log(run: SpecWorkflowRun) -> SpecWorkflowRun:
    """Let a run have an agent's log."""
    log = WorkflowArtifact(artifact_type="codex_logs", path="submit/codex.jsonl", content_type="application/x-ndjson")
    return run.model_copy(update={"artifacts": [log]})
