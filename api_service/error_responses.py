"""One error body everywhere: every exception and every refusal becomes a `Problem`."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

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
from moonmind.wire import Problem, writable
from moonmind.wire.problems import in_words

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
_BY_STATUS: dict[int, type[MoonMindError]] = {404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge}
_SHOWN_FIELDS = 20
_FIELD_LENGTH = 100
"""Characters shown of a field's name, which callers choose."""


def respond(error: MoonMindError, request_id: str | None, headers: dict[str, str] | None = None) -> Response:
    """Return an error's answer; a status number on its class decides everything else."""
    info = error.info()
    body = Problem(
        code=info.code,
        message=writable(info.message),
        remediation=writable(info.remediation) or None,
        details=_writable(info.details) or None,
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


def _writable(value: Any) -> Any:
    """Return a refusal's details as they can be sent: callers' own words are among them."""
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, Mapping):
        return {writable(str(name)): _writable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    return value


def unexpected(request_id: str | None) -> Response:
    """Return the answer to a defect: the id that finds it in the log, and nothing of what broke."""
    return respond(Unexpected("internal error; the server's log has the details under this request ID"), request_id)


def install(app: FastAPI) -> None:
    """Make every way in which a route can fail end as a Problem."""
    app.add_exception_handler(MoonMindError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def request_id(request: Request) -> str | None:
    """Return the id that the middleware chose for this request."""
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
    if (refusal := _not_json(request)) is not None:
        return respond(refusal, request_id(request))
    fields = [_field(problem) for problem in error.errors()[:_SHOWN_FIELDS]]
    said = "; ".join(f"{field['field']}: {field['message']}" for field in fields)
    return respond(InvalidRequest(f"invalid request: {said}", fields=fields), request_id(request))


def _not_json(request: Request) -> InvalidRequest | None:
    """Report that the body was not even read as JSON: everything that is then missed in it is there."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, subtype = given.partition("/")
    json = kind == "application" and (subtype == "json" or subtype.endswith("+json"))
    if json or request.method in {"GET", "HEAD"} or request.headers.get("content-length", "0") == "0":
        return None
    return InvalidRequest(
        f"the body's Content-Type is {given[:100] or 'missing'}; send Content-Type: application/json",
        remediation="Send the header `Content-Type: application/json` with the body (curl: -H 'Content-Type: "
        "application/json').",
    )


def unknown_queries(request: Request) -> None:
    """Refuse query parameters that the route does not have: a misspelt filter must not list everything."""
    known = {str(field.alias) for field in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        fields = [{"in": "query", "field": name[:_FIELD_LENGTH], "message": "unknown parameter"} for name in unknown]
        said = ", ".join(field["field"] for field in fields[:_SHOWN_FIELDS])
        raise InvalidRequest(
            f"invalid request: unknown query parameter {said}; known are {', '.join(sorted(known))}",
            fields=fields[:_SHOWN_FIELDS],
        )


def _field(problem: dict[str, Any]) -> dict[str, str]:
    """Name the part of the request and what is wrong with it; the input itself is not repeated."""
    place, *path = (str(part) for part in problem["loc"])
    if problem["type"] == "json_invalid":
        return {"in": place, "field": place, "message": f"invalid JSON at character {path[0] if path else 0}"}
    return {"in": place, "field": ".".join(path)[:_FIELD_LENGTH] or place, "message": in_words(problem)}


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind = _BY_STATUS.get(error.status_code, InvalidRequest)
    message = (
        f"{request.method} {request.url.path[:200]}: {error.detail}"
        if error.status_code in {404, 405}
        else error.detail
    )
    remediation = f"See {request.app.openapi_url} for all paths." if error.status_code == 404 else None
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    answer = respond(kind(message, remediation=remediation), request_id(request), headers)
    answer.status_code = error.status_code
    return answer


def _methods(request: Request) -> set[str]:
    """Return every method that is answered at a request's address; the framework's own answer names one route's."""
    found = {
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return found | ({"HEAD"} if "GET" in found else set())
