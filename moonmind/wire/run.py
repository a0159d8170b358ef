"""A run as its users see it."""

from uuid import UUID

from pydantic import Field

from moonmind.runs.machine import RunStatus, WaitingReason
from moonmind.wire.artifact import WorkflowArtifact
from moonmind.wire.audit import WorkflowCredentialAudit
from moonmind.wire.base import Instant, WireModel
from moonmind.wire.problem import RunError
from moonmind.wire.task import TaskName, WorkflowTaskState


class Waiting(WireModel):
    """Why a running run is not being worked on now, and until when at most."""

    reason: WaitingReason
    until: Instant


class Progress(WireModel):
    """How far along its chain a run is, in stages."""

    done: int = Field(ge=0)
    total: int = Field(ge=0)


class Usage(WireModel):
    """Tokens that the run's agent jobs used, as the service counted them."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


class SpecWorkflowRun(WireModel):
    """One run: from a repository's next unfinished phase to its pull request."""

    id: UUID
    repository: str
    status: RunStatus
    created_at: Instant
    feature_key: str | None = None
    """The feature's folder once discovered, or its path where another has that folder; before, what was asked for."""
    branch_name: str | None = None
    pull_request_url: str | None = None
    current_task_name: TaskName | None = None
    """The stage at work, or the one that failed or was stopped; null after `succeeded` and `no_work`."""
    celery_chain_id: UUID | None = None
    codex_task_id: str | None = None
    codex_logs_path: str | None = None
    updated_at: Instant | None = None
    completed_at: Instant | None = None
    phase: str | None = None
    """The phase of tasks.md that this run lands."""
    progress: Progress | None = None
    waiting: Waiting | None = None
    usage: Usage | None = None
    model_calls: int | None = Field(None, ge=0)
    """Calls of the model that the run's agents made; null where they were not counted."""
    model_calls_capped: bool | None = None
    """False: they passed no proxy that counts and limits them; null where no agent has asked a model."""
    reason: str | None = None
    """Why there was no work, in words."""
    error: RunError | None = None
    cancel_requested_at: Instant | None = None
    notes: str | None = None
    artifacts: list[WorkflowArtifact] | None = None
    """Null where it was not asked for."""
    tasks: list[WorkflowTaskState] | None = None
    """Null where it was not asked for."""
    credential_audit: WorkflowCredentialAudit | None = None


class RunPage(WireModel):
    """Some runs, newest first."""

    items: list[SpecWorkflowRun]
    next_cursor: str | None = None
    """Send it back as `cursor`; null on the last page."""
