"""One error body everywhere: every exception and every refusal becomes a `Problem`."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from moonmind.errors import (
    BodyTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    MoonMindError,
    NotFound,
    RangeNotSatisfiable,
    Unauthorized,
    Unexpected,
)
from moonmind.wire import Problem

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
_BY_STATUS: dict[int, type[MoonMindError]] = {404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge}
_SHOWN_FIELDS = 20


def respond(error: MoonMindError, request_id: str | None, headers: dict[str, str] | None = None) -> Response:
    """Give an error's answer; a status number on its class decides everything else."""
    info = error.info()
    body = Problem(
        code=info.code,
        message=info.message,
        remediation=info.remediation or None,
        details=dict(info.details) or None,
        request_id=request_id,
    )
    sent = dict(headers or {})
    if error.http_status == 503:
        sent.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    if isinstance(error, Unauthorized):
        sent.setdefault("WWW-Authenticate", 'Bearer realm="moonmind"')
    if isinstance(error, RangeNotSatisfiable):
        sent.setdefault("Content-Range", f"bytes */{info.details.get('size', '*')}")
    return JSONResponse(body.model_dump(mode="json", by_alias=True), error.http_status, sent)


def unexpected(request_id: str | None) -> Response:
    """Give the answer to a defect: the id that finds it in the log, and nothing of what broke."""
    return respond(Unexpected("something broke that should not; the server's log has the details"), request_id)


def install(app: FastAPI) -> None:
    """Make every way in which a route can fail end as a Problem."""
    app.add_exception_handler(MoonMindError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def request_id(request: Request) -> str | None:
    """Give the id that the middleware chose for this request."""
    found: str | None = request.scope.get("moonmind.request_id")
    return found


def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, MoonMindError):  # the registry promises it; the checker cannot know
        raise error
    log.warning("request.refused", code=error.code, message=error.message)
    return respond(error, request_id(request))


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [_field(problem) for problem in error.errors()[:_SHOWN_FIELDS]]
    said = "; ".join(f"{field['field']}: {field['message']}" for field in fields)
    return respond(InvalidRequest(f"the request is not valid: {said}", fields=fields), request_id(request))


def _field(problem: dict[str, Any]) -> dict[str, str]:
    """Name the part of the request and what is wrong with it; the input itself is not repeated."""
    place, *path = (str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "json_invalid":
        return {"in": place, "field": place, "message": f"not JSON at character {path[0] if path else 0}"}
    return {"in": place, "field": ".".join(path) or place, "message": message}


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind = _BY_STATUS.get(error.status_code, InvalidRequest)
    message = (
        f"{request.method} {request.url.path[:200]}: {error.detail}"
        if error.status_code in {404, 405}
        else error.detail
    )
    answer = respond(kind(message), request_id(request), dict(error.headers or {}))
    answer.status_code = error.status_code
    return answer
