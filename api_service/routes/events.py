"""Events: a list to poll, or a stream to follow."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from threading import Lock
from typing import Annotated, Any
from uuid import UUID

import anyio
import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api_service.auth import STILL_ADMITTED
from api_service.deps import RunId, Runs
from api_service.middleware import only_headers
from api_service.routes import PREFIX
from api_service.routes.answers import refusals
from moonmind import wire
from moonmind.errors import MoonMindError, Unavailable
from moonmind.runs.event_types import EventType
from moonmind.services.run_service import RunService

log = structlog.get_logger(__name__)
router = APIRouter(prefix=PREFIX, tags=["events"])

POLL_SECONDS = 0.5
RECONNECT_MILLISECONDS = 2000
GRACE_SECONDS = 5
"""What a stream has at shutdown to end in order; its client comes back with its position."""
BATCH = 200
MAX_STREAMS = 100
"""Per process: each costs the database a query every POLL_SECONDS."""
_taking = Lock()
"""Routes run in threads: a seat is counted and taken in one step."""
_LINE = "\n"
_LARGEST_ID = 2**63 - 1

_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
_LISTED = "The events after the position; with `Accept: text/event-stream`, a stream of them."

Accept = Annotated[str, Header(include_in_schema=False)]
After = Annotated[int, Query(ge=0, le=_LARGEST_ID)]
AfterOrNow = Annotated[int | None, Query(alias="after", ge=0, le=_LARGEST_ID)]
LastEventId = Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=_LARGEST_ID)]


@router.get(
    "/runs/{run_id}/events",
    operation_id="listRunEvents",
    response_model=list[wire.RunEvent],
    responses={
        200: {"description": _LISTED, "content": _STREAM},
        204: {"description": "Stream only: the run has ended and there is nothing after the position."},
        **refusals(404, 422),
    },
)
def run_events(
    request: Request,
    run_id: RunId,
    runs: Runs,
    *,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    last_event_id: LastEventId = None,
    accept: Accept = "",
) -> Any:
    """Return one run's events; positions are `seq`. A stream ends with `run.closed`."""
    if "text/event-stream" not in accept:
        return runs.events(run_id, after=after, limit=limit)
    position = after if last_event_id is None else last_event_id
    if not runs.events(run_id, after=position, limit=1) and runs.get(run_id).status.terminal:
        # 204 tells an EventSource to stop reconnecting.
        return Response(status_code=204)
    return _stream(request, runs, run_id, position)


@router.get(
    "/events",
    operation_id="streamEvents",
    response_class=EventSourceResponse,
    responses={200: {"description": "A stream of events.", "content": _STREAM}, **refusals(422)},
)
def all_events(request: Request, runs: Runs, after: AfterOrNow = None, last_event_id: LastEventId = None) -> Response:
    """Stream the events of all runs from now on, or from after a position (0: all there ever were); positions are `id`."""
    position = after if last_event_id is None else last_event_id
    return _stream(request, runs, None, runs.last_event_id() if position is None else position)


def _stream(request: Request, runs: RunService, run_id: UUID | None, position: int) -> Response:
    if only_headers(request.scope):
        return Response(media_type="text/event-stream")
    streams: set[object] = request.app.state.streams
    seat = object()
    with _taking:
        if len(streams) >= MAX_STREAMS:
            raise Unavailable(
                f"{MAX_STREAMS} event streams are already open", remediation="Close one, or poll the list instead."
            )
        streams.add(seat)
    closing = anyio.Event()
    return _Seated(
        _follow(runs, run_id, position, closing, request.scope.get(STILL_ADMITTED, _always)),
        leave=partial(streams.discard, seat),
        ping=request.app.state.stream_heartbeat_seconds,
        sep=_LINE,
        shutdown_event=closing,
        shutdown_grace_period=GRACE_SECONDS,
    )


class _Seated(EventSourceResponse):
    """A stream that leaves its seat however it ends, also before its first event."""

    def __init__(self, *given: Any, leave: Callable[[], None], **named: Any) -> None:
        super().__init__(*given, **named)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def _always() -> bool:
    return True


async def _follow(
    runs: RunService,
    run_id: UUID | None,
    position: int,
    closing: anyio.Event,
    still_admitted: Callable[[], Awaitable[bool]] = _always,
) -> AsyncIterator[ServerSentEvent]:
    last: EventType | None = None
    yield ServerSentEvent(comment="open", retry=RECONNECT_MILLISECONDS, sep=_LINE)
    while not closing.is_set() and await still_admitted():
        batch = await _next(runs, run_id, position)
        for event in batch:
            position = event.id if run_id is None else event.seq
            last = event.type
            yield ServerSentEvent(id=str(position), data=event.model_dump_json(by_alias=True), sep=_LINE)
        if len(batch) == BATCH:
            continue
        # A closed run that was retried since has later events; only the last word ends the stream.
        if run_id is not None and last is EventType.RUN_CLOSED:
            return
        with anyio.move_on_after(POLL_SECONDS):
            await closing.wait()


async def _next(runs: RunService, run_id: UUID | None, position: int) -> list[wire.RunEvent]:
    try:
        return await run_in_threadpool(partial(runs.events, run_id, after=position, limit=BATCH))
    except MoonMindError as error:
        if not error.retryable:
            raise
        # The database is away for a moment: the heartbeat keeps the stream open, and nothing is missed.
        log.warning("events.unavailable", code=error.code, message=error.message)
        return []
