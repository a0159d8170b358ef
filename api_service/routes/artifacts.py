"""Artifacts: list them, download them whole or in part, also while they grow."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import Response, StreamingResponse

from api_service.deps import RunId, Runs
from api_service.middleware import only_headers
from api_service.ranges import Span, read_range
from api_service.routes import PREFIX
from api_service.routes.answers import refusals
from moonmind import wire
from moonmind.errors import NotFound, RangeNotSatisfiable
from moonmind.wire.public_run import served_type

router = APIRouter(prefix=f"{PREFIX}/runs/{{run_id}}/artifacts", tags=["artifacts"])

_BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.get("", operation_id="listArtifacts", response_model=list[wire.WorkflowArtifact], responses=refusals(404, 422))
def list_artifacts(run_id: RunId, runs: Runs) -> list[wire.WorkflowArtifact]:
    """List the files that a run left."""
    return runs.artifacts(run_id)


@router.get(
    "/{path:path}",
    operation_id="downloadArtifact",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The whole file, as far as it is written.", "content": _BINARY},
        206: {"description": "The bytes asked for.", "content": _BINARY},
        416: {"model": wire.Problem, "description": "The file has no such bytes, or not yet."},
        **refusals(404, 422),
    },
)
def download_artifact(
    request: Request,
    run_id: RunId,
    path: Annotated[str, Path(description="The artifact's `path`.")],
    runs: Runs,
    asked: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """Send an artifact; one byte range is honoured, so that a growing log can be followed."""
    if "\0" in path:
        raise NotFound("the run has no such artifact")
    whole = runs.open_artifact(run_id, path)
    span = read_range(asked, whole.size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1], safe='')}",
        "X-Artifact-Growing": "true" if whole.growing else "false",
    }
    if span is not None and span.length == 0:
        raise RangeNotSatisfiable(f"the range is outside of {path}, which has {whole.size} bytes", size=whole.size)
    if span is not None:
        headers["Content-Range"] = span.header(whole.size)
    sent = span or Span(0, whole.size)
    headers["Content-Length"] = str(sent.length)
    status, sent_as = 200 if span is None else 206, served_type(whole.content_type)
    if only_headers(request.scope):
        return Response(None, status, headers, media_type=sent_as)
    # Opened again with the length that was measured: a log that grows must not outgrow its Content-Length.
    part = runs.open_artifact(run_id, path, start=sent.start, length=sent.length)
    return StreamingResponse(part.chunks, status, headers, media_type=sent_as)
