"""Runs: start, look, answer, retry, cancel."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from api_service.deps import Actor, Previews, RunId, Runs, Search
from api_service.error_responses import unknown_queries
from api_service.routes import PREFIX
from api_service.routes.answers import refusals
from moonmind import wire
from moonmind.runs.machine import RunStatus
from moonmind.wire import Text
from moonmind.wire.base import must_match
from moonmind.wire.requests import FEATURE_PATH_LENGTH

router = APIRouter(prefix=f"{PREFIX}/runs", tags=["runs"])

_KEY = r"^[!-~]{1,200}$"
_Key = Annotated[
    str,
    must_match(_KEY, "must be 1 to 200 visible ASCII characters, without spaces"),
    Field(json_schema_extra={"pattern": _KEY}),
]
IdempotencyKey = Annotated[_Key | None, Header(alias="Idempotency-Key")]


@router.post(
    "",
    status_code=202,
    operation_id="createRun",
    response_model=wire.SpecWorkflowRun,
    responses=refusals(403, 409, 422),
)
def create_run(
    request: Request,
    response: Response,
    body: wire.CreateRun,
    runs: Runs,
    actor: Actor,
    idempotency_key: IdempotencyKey = None,
) -> wire.SpecWorkflowRun:
    """Start a run. The same Idempotency-Key with the same body answers with the run it started first."""
    run = runs.create(body, idempotency_key=idempotency_key, actor=actor)
    response.headers["Location"] = f"{request.url.path}/{run.id}"
    return run


@router.post("/preview", operation_id="previewRun", response_model=wire.RunPreview, responses=refusals(403, 422, 503))
def preview_run(body: wire.CreateRun, previews: Previews) -> wire.RunPreview:
    """Answer what a run would take up, and create nothing; the repository is fetched first."""
    return previews.preview(body)


@router.get(
    "",
    operation_id="listRuns",
    response_model=wire.RunPage,
    responses=refusals(422),
    dependencies=[Depends(unknown_queries)],
)
def list_runs(
    runs: Runs,
    *,
    status: RunStatus | None = None,
    repository: Search = None,
    feature_key: Annotated[Text | None, Query(alias="featureKey", max_length=FEATURE_PATH_LENGTH)] = None,
    q: Search = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Search = None,
) -> wire.RunPage:
    """List runs, newest first, without their tasks and artifacts."""
    page = runs.page(status=status, repository=repository, feature_key=feature_key, q=q, limit=limit, cursor=cursor)
    short = {"tasks": None, "artifacts": None}
    return page.model_copy(update={"items": [run.model_copy(update=short) for run in page.items]})


@router.get("/{run_id}", operation_id="getRun", response_model=wire.SpecWorkflowRun, responses=refusals(404, 422))
def get_run(
    run_id: RunId,
    runs: Runs,
    *,
    include_tasks: Annotated[bool, Query(alias="includeTasks")] = True,
    include_artifacts: Annotated[bool, Query(alias="includeArtifacts")] = True,
) -> wire.SpecWorkflowRun:
    """Show one run."""
    dropped = {} if include_tasks else {"tasks": None}
    dropped |= {} if include_artifacts else {"artifacts": None}
    return runs.get(run_id).model_copy(update=dropped)


@router.get(
    "/{run_id}/tasks",
    operation_id="listTasks",
    response_model=list[wire.WorkflowTaskState],
    responses=refusals(404, 422),
)
def list_tasks(
    run_id: RunId, runs: Runs, attempts: Literal["latest", "all"] = "latest"
) -> list[wire.WorkflowTaskState]:
    """List a run's tasks in chain order, then its retries."""
    return runs.tasks(run_id, every_attempt=attempts == "all")


@router.post(
    "/{run_id}/answer",
    status_code=202,
    operation_id="answerRun",
    response_model=wire.SpecWorkflowRun,
    responses=refusals(403, 404, 409, 422),
)
def answer_run(run_id: RunId, runs: Runs, actor: Actor, body: wire.AnswerRun) -> wire.SpecWorkflowRun:
    """Answer what a run asks; see its `attention`."""
    return runs.answer(run_id, body, actor=actor)


@router.post(
    "/{run_id}/retry",
    status_code=202,
    operation_id="retryRun",
    response_model=wire.SpecWorkflowRun,
    responses=refusals(403, 404, 409, 422),
)
def retry_run(run_id: RunId, runs: Runs, actor: Actor, body: wire.RetryRun | None = None) -> wire.SpecWorkflowRun:
    """Start an ended run again; without a body, from the stage that failed."""
    return runs.retry(run_id, body or wire.RetryRun(), actor=actor)


@router.post(
    "/{run_id}/accept",
    status_code=202,
    operation_id="acceptTasks",
    response_model=wire.SpecWorkflowRun,
    responses=refusals(403, 404, 409, 422),
)
def accept_tasks(
    run_id: RunId,
    response: Response,
    request: Request,
    runs: Runs,
    actor: Actor,
    body: wire.AcceptTasks,
    idempotency_key: IdempotencyKey = None,
) -> wire.SpecWorkflowRun:
    """Tick boxes of an ended run's phase in the caller's name; returns the run of kind `ticks` that does it."""
    run = runs.accept(run_id, body, idempotency_key=idempotency_key, actor=actor)
    response.headers["Location"] = f"{request.url.path.rsplit('/', 2)[0]}/{run.id}"
    return run


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    operation_id="cancelRun",
    response_model=wire.SpecWorkflowRun,
    responses=refusals(404, 409, 422),
)
def cancel_run(run_id: RunId, runs: Runs, actor: Actor) -> wire.SpecWorkflowRun:
    """Ask a run to stop; its status becomes `cancelled` once its agent is gone."""
    return runs.cancel(run_id, actor=actor)
