"""What happens to every request before a route sees it. Plain ASGI: streams stay streams, context reaches threads."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service import error_responses
from api_service.auth import ACTOR
from moonmind.errors import BodyTooLarge

log = structlog.get_logger(__name__)

BODY_LIMIT = 1024 * 1024
"""Bytes; counted as they come, whatever Content-Length says."""

_HEAD = "moonmind.head"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestContext:
    """Names each request, binds the name to the log, and writes one line when it is served."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _SANE_ID.fullmatch(asked) else uuid4().hex
        scope["moonmind.request_id"] = request_id
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, named)
            finally:
                quiet = scope["path"] in {"/healthz", "/readyz"} and status < 500
                (log.debug if quiet else log.info)(
                    "request.served",
                    method=scope["method"],
                    path=scope["path"][:500],
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    client=(scope.get("client") or ("",))[0],
                    actor=scope.get(ACTOR),
                )


class SecurityHeaders:
    """Sets the strictest headers on every answer; a route that needs others has set them already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, secured)


class Crashes:
    """Turns what nobody caught into an answer without a trace; the trace goes to the log, once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if answered:
                # Too late for an answer: the server logs it and closes the connection, so that nobody takes a part
                # for the whole.
                raise
            log.exception("request.crashed")
            await error_responses.unexpected(scope.get("moonmind.request_id"))(scope, receive, send)


class Heads:
    """Answers HEAD wherever GET is answered, with the same headers. A route that must not begin asks `only_headers`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", _HEAD: True}, receive, bare)


def only_headers(scope: Scope) -> bool:
    """Return True if the request was a HEAD: nothing of a body that is made will be sent."""
    return bool(scope.get(_HEAD))


class BodyLimit:
    """Reads a request's body, up to the limit, before the route runs; nothing here takes long bodies."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        body = bytearray()
        too_large = stated.isdecimal() and int(stated[:20]) > self._limit
        more = not too_large
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                too_large, more = True, False
        if too_large:
            error = BodyTooLarge(f"the request's body is longer than {self._limit} bytes", limit=self._limit)
            await error_responses.respond(error, scope.get("moonmind.request_id"))(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)
