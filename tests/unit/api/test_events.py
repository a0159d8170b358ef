"""The routes of events: the list, and the stream driven by hand over plain ASGI."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from structlog.testing import LogCapture

from api_service.app import create_app
from api_service.routes import events
from moonmind import bootstrap
from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.db.unit_of_work import Database
from moonmind.runs.machine import WaitingReason
from moonmind.runtime.container import Container
from moonmind.services.run_service import RunService
from moonmind.wire import RetryRun
from tests.support.databases import add_run, claim_run, events_of, read_run, suspend
from tests.support.engine_room import Outage, Told
from tests.support.listener import STREAM, Listener
from tests.support.peers import ours
from tests.support.waiting import PATIENCE

PREFIX = "/api/workflows/speckit"
CANCELLED = ["run.cancel_requested", "run.closed"]


def seqs(text: str) -> list[tuple[str, str]]:
    """Return the position and type of each event of a finished stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "data" in fields:
            found.append((fields["id"], json.loads(fields["data"])["type"]))
    return found


@pytest.fixture
def app(container: Container) -> FastAPI:
    app = create_app(container=container, owner_of=ours)
    app.state.container = container
    app.state.streams = set()
    return app


def test_a_runs_events_are_listed_from_a_position(client: TestClient, database: Database, run_id: UUID) -> None:
    suspend(database, read_run(database, run_id), WaitingReason.BACKOFF)
    place = f"{PREFIX}/runs/{run_id}/events"
    assert [event["seq"] for event in client.get(place).json()] == [1, 2, 3]
    assert [event["seq"] for event in client.get(f"{place}?after=1&limit=1").json()] == [2]
    first, (kept, *_) = client.get(place).json()[0], events_of(database, run_id)
    assert first.pop("createdAt").endswith("Z")
    assert first == {
        "id": kept.id,
        "seq": 1,
        "runId": str(run_id),
        "type": "run.created",
        "taskName": "discover",
        "data": dict(kept.data),
        "actor": None,
    }


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=1001"])
def test_a_wrong_position_is_refused(client: TestClient, run_id: UUID, query: str) -> None:
    assert client.get(f"{PREFIX}/runs/{run_id}/events?{query}").status_code == 422


def test_the_stream_of_an_ended_run_tells_all_and_ends(client: TestClient, container: Container, run_id: UUID) -> None:
    container.runs.cancel(run_id)
    answer = client.get(f"{PREFIX}/runs/{run_id}/events", headers=STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert seqs(answer.text) == [("1", "run.created"), ("2", "run.cancel_requested"), ("3", "run.closed")]


def test_a_client_that_comes_back_misses_nothing_and_gets_nothing_twice(
    client: TestClient, container: Container, run_id: UUID
) -> None:
    container.runs.cancel(run_id)
    headers = {**STREAM, "Last-Event-ID": "2"}
    answer = client.get(f"{PREFIX}/runs/{run_id}/events?after=0", headers=headers)
    assert seqs(answer.text) == [("3", "run.closed")]


def test_a_client_that_has_all_of_an_ended_run_is_told_not_to_come_back(
    client: TestClient, container: Container, run_id: UUID
) -> None:
    container.runs.cancel(run_id)
    answer = client.get(f"{PREFIX}/runs/{run_id}/events", headers={**STREAM, "Last-Event-ID": "3"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_stream_of_a_retried_run_goes_on_after_its_first_end(
    client: TestClient, container: Container, run_id: UUID
) -> None:
    container.runs.cancel(run_id)
    container.runs.retry(run_id, RetryRun())
    container.runs.cancel(run_id)
    answer = client.get(f"{PREFIX}/runs/{run_id}/events", headers=STREAM)
    ends = [kind for _, kind in seqs(answer.text) if kind in {"run.retried", "run.closed"}]
    assert ends == ["run.closed", "run.retried", "run.closed"]


def test_a_long_history_comes_in_batches_and_in_order(
    client: TestClient, container: Container, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BATCH", 3)
    container.runs.cancel(run_id)
    for _ in range(3):
        container.runs.retry(run_id, RetryRun())
        container.runs.cancel(run_id)
    answer = client.get(f"{PREFIX}/runs/{run_id}/events", headers=STREAM)
    assert [position for position, _ in seqs(answer.text)] == [str(number) for number in range(1, 13)]


@pytest.mark.anyio
async def test_a_live_stream_tells_what_happens_and_ends_with_the_run(
    app: Any, container: Container, run_id: UUID
) -> None:
    listener = Listener(app, f"{PREFIX}/runs/{run_id}/events", {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: len(seqs(listener.text)) == 1)
        container.runs.cancel(run_id)
        await listener.until(lambda: listener.ended)
    assert seqs(listener.text)[1:] == [("2", "run.cancel_requested"), ("3", "run.closed")]
    assert app.state.streams == set()


@pytest.mark.anyio
async def test_the_stream_of_all_runs_goes_by_id_and_gives_its_place_back(
    app: Any, container: Container, run_id: UUID
) -> None:
    created = container.runs.last_event_id()
    claim_run(container.database, run_id)
    listener = Listener(app, f"{PREFIX}/events?after={created}", {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: [kind for _, kind in seqs(listener.text)] == ["attempt.started"])
        add_run(container.database)
        await listener.until(lambda: len(seqs(listener.text)) == 2)
        assert [int(position) > created for position, _ in seqs(listener.text)] == [True, True]
        assert len(app.state.streams) == 1
        assert not listener.ended
        listener.go()
        await listener.until(lambda: listener.ended)
    assert app.state.streams == set()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "headers", "told"),
    [
        ("", {}, CANCELLED),
        ("?after=0", {}, ["run.created", "run.created", *CANCELLED]),
        ("", {"Last-Event-ID": "{created}"}, ["run.created", *CANCELLED]),
    ],
)
async def test_the_stream_of_all_runs_begins_now_unless_a_position_is_given(
    app: Any, container: Container, run_id: UUID, query: str, headers: dict[str, str], told: list[str]
) -> None:
    created = container.runs.last_event_id()
    add_run(container.database)
    given = {name: value.format(created=created) for name, value in headers.items()}
    listener = Listener(app, f"{PREFIX}/events{query}", given)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: "open" in listener.text)
        container.runs.cancel(run_id)
        await listener.until(lambda: "run.closed" in listener.text)
        listener.go()
    assert [kind for _, kind in seqs(listener.text)] == told


@pytest.mark.anyio
async def test_a_database_that_is_away_for_a_moment_ends_no_stream(
    container: Container, run_id: UUID, lines: LogCapture
) -> None:
    outage = Outage(container.database)
    runs = RunService(
        outage,
        FilesystemArtifactStore(container.settings.artifact_root),
        Told(),
        container.preflight,
        bootstrap.STAGES,
        run_deadline_seconds=60.0,
    )
    app = create_app(container=container, owner_of=ours)
    app.state.container = replace(container, runs=runs)
    app.state.streams = set()
    listener = Listener(app, f"{PREFIX}/events?after=0", {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: len(seqs(listener.text)) == 1)
        outage.times = 2
        await listener.until(lambda: outage.refused == 2)
        claim_run(container.database, run_id)
        await listener.until(lambda: len(seqs(listener.text)) == 2)
        listener.go()
    assert [line["event"] for line in lines.entries if line["log_level"] == "warning"] == ["events.unavailable"] * 2


@pytest.mark.anyio
async def test_a_quiet_stream_has_a_heartbeat(app: FastAPI) -> None:
    app.state.stream_heartbeat_seconds = 0.05
    listener = Listener(app, f"{PREFIX}/events", {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: listener.text.count(": ping") >= 2)
        listener.go()


@pytest.mark.anyio
async def test_a_server_that_stops_ends_its_streams_in_order(container: Container) -> None:
    closing = anyio.Event()
    comments = []
    with anyio.fail_after(PATIENCE):
        async for event in events._follow(container.runs, None, 0, closing):
            comments.append(event.comment)
            closing.set()
    assert comments == ["open"]


def test_there_is_an_end_to_how_many_streams_are_open(client: TestClient, run_id: UUID) -> None:
    state: Any = client.app
    state.state.streams = {object() for _ in range(events.MAX_STREAMS)}
    answer = client.get(f"{PREFIX}/runs/{run_id}/events", headers=STREAM)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert client.get(f"{PREFIX}/runs/{run_id}/events").status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("place", [f"{PREFIX}/events", f"{PREFIX}/events?after=0", "run"])
async def test_a_burst_gets_no_more_streams_than_there_are_seats(
    app: Any, run_id: UUID, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS", 3)
    path = f"{PREFIX}/runs/{run_id}/events" if place == "run" else place
    listeners = [Listener(app, path, {}) for _ in range(12)]
    async with anyio.create_task_group() as tasks:
        for listener in listeners:
            tasks.start_soon(listener.listen)
        await listeners[0].until(lambda: all(each.status for each in listeners))
        assert sorted(each.status for each in listeners) == [200] * 3 + [503] * 9
        for listener in listeners:
            listener.go()
    assert app.state.streams == set()


@pytest.mark.anyio
async def test_a_client_that_is_gone_before_the_first_event_keeps_no_seat(app: FastAPI, run_id: UUID) -> None:
    listener = Listener(app, f"{PREFIX}/runs/{run_id}/events", {})
    listener.go()
    with anyio.fail_after(PATIENCE):
        await listener.listen()
    assert app.state.streams == set()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
