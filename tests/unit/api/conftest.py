"""The API over a double of the run service that keeps its runs in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from fastapi.testclient import TestClient
from structlog.testing import LogCapture

from api_service.app import create_app
from api_service.peers import OwnerOf
from moonmind import wire
from moonmind.errors import IdempotencyMismatch, NotCancellable, NotFound, NotRetryable, RunActive
from moonmind.ports.check import Check, CheckStatus
from moonmind.redact import Redactor
from moonmind.runs.chain import STAGES
from moonmind.runs.events import EventType
from moonmind.runs.machine import AttemptState, RunStatus
from moonmind.settings import Settings
from tests.support.peers import ours

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class File:
    artifact: wire.WorkflowArtifact
    content: bytes


@dataclass(frozen=True)
class Content:
    content_type: str
    size: int
    growing: bool
    chunks: Iterator[bytes]


@dataclass
class MemoryRuns:
    """Keeps runs, files and events in lists; says what the real service says."""

    kept: dict[UUID, wire.SpecWorkflowRun] = field(default_factory=dict)
    files: dict[UUID, dict[str, File]] = field(default_factory=dict)
    log: list[wire.RunEvent] = field(default_factory=list)
    keys: dict[str, tuple[wire.CreateRun, UUID]] = field(default_factory=dict)
    fail_with: Exception | None = None
    opened: list[tuple[int, int | None]] = field(default_factory=list)

    def create(self, body: wire.CreateRun, *, idempotency_key: str | None = None) -> wire.SpecWorkflowRun:
        self._fail()
        if idempotency_key in self.keys:
            first, run_id = self.keys[idempotency_key]
            if first != body:
                raise IdempotencyMismatch("this Idempotency-Key was used with another request body")
            return self.kept[run_id]
        for run in self.kept.values():
            if not run.status.terminal and (run.repository, run.feature_key) == (body.repository, body.feature_key):
                raise RunActive(f"run {run.id} works on it", runId=str(run.id))
        run = wire.SpecWorkflowRun(
            id=uuid4(),
            repository=body.repository,
            status=RunStatus.PENDING,
            created_at=START + timedelta(seconds=len(self.kept)),
            feature_key=body.feature_key,
            notes=body.notes,
            tasks=[
                wire.WorkflowTaskState(task_name=wire.TaskName(stage.value), state=AttemptState.WAITING)
                for stage in STAGES
            ],
            artifacts=[],
        )
        self.kept[run.id] = run
        self.files[run.id] = {}
        if idempotency_key is not None:
            self.keys[idempotency_key] = (body, run.id)
        self.tell(run.id, EventType.RUN_CREATED)
        return run

    def get(self, run_id: UUID) -> wire.SpecWorkflowRun:
        self._fail()
        try:
            return self.kept[run_id]
        except KeyError:
            raise NotFound(f"there is no run {run_id}") from None

    def page(
        self,
        *,
        status: str | None = None,
        repository: str | None = None,
        feature_key: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> wire.RunPage:
        self._fail()
        found = [
            run
            for run in sorted(self.kept.values(), key=lambda run: run.created_at, reverse=True)
            if (status is None or run.status == status)
            and (repository is None or run.repository == repository)
            and (feature_key is None or run.feature_key == feature_key)
            and (q is None or q in run.repository)
        ]
        start = int(cursor or 0)
        more = len(found) > start + limit
        return wire.RunPage(items=found[start : start + limit], next_cursor=str(start + limit) if more else None)

    def tasks(self, run_id: UUID, *, every_attempt: bool = False) -> list[wire.WorkflowTaskState]:
        tasks = list(self.get(run_id).tasks or [])
        return tasks + tasks[-1:] if every_attempt else tasks

    def artifacts(self, run_id: UUID) -> list[wire.WorkflowArtifact]:
        self.get(run_id)
        return [file.artifact for file in self.files[run_id].values()]

    def open_artifact(self, run_id: UUID, path: str, *, start: int = 0, length: int | None = None) -> Content:
        self.get(run_id)
        try:
            file = self.files[run_id][path]
        except KeyError:
            raise NotFound(f"the run has no artifact {path!r}") from None
        self.opened.append((start, length))

        def chunks() -> Iterator[bytes]:
            end = len(file.content) if length is None else start + length
            for place in range(start, end, 7):
                yield file.content[place : min(place + 7, end)]

        growing = file.artifact.size_bytes is None
        return Content(file.artifact.content_type or "", len(file.content), growing, chunks())

    def retry(self, run_id: UUID, body: wire.RetryRun) -> wire.SpecWorkflowRun:
        run = self.get(run_id)
        if not run.status.terminal:
            raise NotRetryable(f"the run is {run.status}", status=run.status.value)
        self.tell(run_id, EventType.RUN_RETRIED, mode=body.mode.value)
        return self.put(run_id, status=RunStatus.RETRYING, notes=body.notes)

    def cancel(self, run_id: UUID) -> wire.SpecWorkflowRun:
        run = self.get(run_id)
        if run.status.terminal:
            raise NotCancellable(f"the run has already ended: {run.status}")
        return self.close(run_id, RunStatus.CANCELLED)

    def events(self, run_id: UUID | None, *, after: int = 0, limit: int = 100) -> list[wire.RunEvent]:
        self._fail()
        if run_id is None:
            return [event for event in self.log if event.id > after][:limit]
        self.get(run_id)
        return [event for event in self.log if event.run_id == run_id and event.seq > after][:limit]

    def last_event_id(self) -> int:
        self._fail()
        return self.log[-1].id if self.log else 0

    # --- for tests

    def put(self, run_id: UUID, **changes: Any) -> wire.SpecWorkflowRun:
        self.kept[run_id] = self.kept[run_id].model_copy(update=changes)
        return self.kept[run_id]

    def close(self, run_id: UUID, status: RunStatus) -> wire.SpecWorkflowRun:
        self.tell(run_id, EventType.RUN_CLOSED, status=status.value)
        return self.put(run_id, status=status)

    def tell(self, run_id: UUID, kind: EventType, **data: Any) -> None:
        seq = 1 + sum(event.run_id == run_id for event in self.log)
        self.log.append(
            wire.RunEvent(id=101 + len(self.log), seq=seq, run_id=run_id, type=kind, data=data, created_at=START)
        )

    def keep(self, run_id: UUID, path: str, content: bytes, content_type: str, *, growing: bool = False) -> None:
        artifact = wire.WorkflowArtifact(
            artifact_type="codex_logs",
            path=path,
            content_type=content_type,
            size_bytes=None if growing else len(content),
            created_at=START,
        )
        self.files[run_id][path] = File(artifact, content)

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


@dataclass
class MemoryContainer:
    """A container that starts nothing."""

    settings: Settings
    runs: MemoryRuns
    redactor: Redactor = field(default_factory=Redactor)
    checks: list[Check] = field(default_factory=lambda: [Check("database", CheckStatus.PASSED, "it answers")])
    calls: list[str] = field(default_factory=list)
    refuse_to_open: Exception | None = None

    def open(self) -> None:
        self.calls.append("open")
        if self.refuse_to_open is not None:
            raise self.refuse_to_open

    def close(self) -> None:
        self.calls.append("close")

    def ready(self) -> list[Check]:
        return self.checks


Connect = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def lines() -> Iterator[LogCapture]:
    """What was logged, as dictionaries."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    yield capture
    structlog.configure(**before)


@pytest.fixture
def runs() -> MemoryRuns:
    return MemoryRuns()


@pytest.fixture
def build(runs: MemoryRuns) -> Callable[..., MemoryContainer]:
    """Build a container with these settings, named as in the environment."""

    def builder(**settings: Any) -> MemoryContainer:
        return MemoryContainer(Settings(_env_file=None, **settings), runs)

    return builder


@pytest.fixture
def connect(build: Callable[..., MemoryContainer]) -> Iterator[Connect]:
    """Open clients: from which peer, under which host name, to a server with which settings."""
    open_clients: list[TestClient] = []

    def connector(
        peer: str = "127.0.0.1", base_url: str = "http://localhost:8000", owner_of: OwnerOf = ours, **settings: Any
    ) -> TestClient:
        app = create_app(container=build(**settings), owner_of=owner_of)
        client = TestClient(app, base_url=base_url, client=(peer, 50000), raise_server_exceptions=False)
        client.__enter__()
        open_clients.append(client)
        return client

    yield connector
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()


@pytest.fixture
def run_id(runs: MemoryRuns) -> UUID:
    return runs.create(wire.CreateRun(repository="moonmind/reference", feature_key="spec-42")).id
