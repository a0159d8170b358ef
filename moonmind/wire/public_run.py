"""A run as its users see it: its tasks, files, events, and what was found of its credentials."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from moonmind.ports.check import CheckStatus
from moonmind.runs.event_types import EventType
from moonmind.runs.kinds import PHASE
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.wire.base import Instant, Shown, WireModel
from moonmind.wire.problems import RunError

_INERT = frozenset({"application/json", "application/x-ndjson", "application/gzip"})
"""Types that a browser shows or saves, and never runs."""


def served_type(stored: str) -> str:
    """Return what an artifact is sent as, in a way that no browser runs: agent output is hostile."""
    plain = stored.partition(";")[0].strip().lower()
    if plain.startswith("text/"):
        return "text/plain; charset=utf-8"
    return plain if plain in _INERT else "application/octet-stream"


class TaskName(StrEnum):
    """The five stages in chain order, and the rows that operators' retries leave."""

    DISCOVER = "discover"
    SUBMIT = "submit"
    APPLY = "apply"
    PUBLISH = "publish"
    FINALIZE = "finalize"
    RETRY = "retry"


class WorkflowTaskState(WireModel):
    """One task of the chain: its latest attempt, or one of all when they are asked for."""

    task_name: Annotated[TaskName, Shown()]
    state: Annotated[AttemptState, Shown()]
    message: dict[str, Any] = Field(default_factory=dict)
    """A small summary of what came out; after a failure `code`, `message`, `remediation`."""
    artifact_paths: list[str] = Field(default_factory=list)
    started_at: Instant | None = None
    finished_at: Instant | None = None
    retry_count: int = Field(default=0, ge=0)
    """Attempts at the same stage before this one."""


class WorkflowArtifact(WireModel):
    """One file; size and digest are null while it grows."""

    artifact_type: str
    """`codex_logs`, `codex_patch`, `work_archive`, `apply_output`, `pr_payload`, `retry_context`, and more."""
    path: str
    """Relative to the run's folder."""
    content_type: Annotated[str, AfterValidator(served_type)] | None = None
    """What the file is sent as, whatever it was stored as."""
    size_bytes: int | None = None
    digest: str | None = None
    """`sha256:<hex>`."""
    created_at: Instant | None = None


class WorkflowCredentialAudit(WireModel):
    """The probe of Codex's and GitHub's credentials before an agent is started; never a secret."""

    codex_status: Annotated[CheckStatus, Shown()]
    codex_checked_at: Instant | None = None
    codex_message: str | None = None
    github_status: Annotated[CheckStatus, Shown()]
    github_checked_at: Instant | None = None
    github_message: str | None = None
    environment_snapshot: dict[str, str] = Field(default_factory=dict)
    """Versions, places and the `CODEX_ENV` label."""


class Waiting(WireModel):
    """Why a running run is not being worked on now, and until when at most."""

    reason: Annotated[WaitingReason, Shown()]
    until: Instant


class AttentionOption(WireModel):
    """One of the answers that a question offers."""

    value: str
    """Sent as `choice`; `approve` and `reject` may also be sent as such."""
    text: str
    """What it means, with its facts."""


class Attention(WireModel):
    """What a run asks a person, and until when it waits for the answer."""

    question: int = Field(ge=0)
    """Names this question among those of its run; an answer that names it too answers no other one."""
    kind: str
    """`choose_feature`, `stale_boxes`, `finding`, and more over time."""
    text: str
    options: list[AttentionOption] = Field(default_factory=list)
    """Empty where a text is the answer."""
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


class Selected(WireModel):
    """What a run's request chose among the open tasks, as it was sent."""

    phase: str | None = None
    story: str | None = None
    tasks: list[str] = Field(default_factory=list)
    skip: list[str] = Field(default_factory=list)
    commit: str | None = None
    why: str | None = None


class SpecWorkflowRun(WireModel):
    """One run: from a repository's next unfinished phase to its pull request."""

    id: UUID
    repository: str
    status: Annotated[RunStatus, Shown()]
    created_at: Instant
    feature_key: str | None = None
    """The feature's folder once discovered, or its path where another has that folder; before, what was asked for."""
    branch_name: str | None = None
    pull_request_url: str | None = None
    current_task_name: Annotated[TaskName, Shown()] | None = None
    """The stage at work, or the one that failed or was stopped; null after `succeeded` and `no_work`."""
    celery_chain_id: UUID | None = None
    codex_task_id: str | None = None
    codex_logs_path: str | None = None
    updated_at: Instant | None = None
    completed_at: Instant | None = None
    phase: str | None = None
    """The phase of tasks.md that this run works on."""
    progress: Progress | None = None
    waiting: Waiting | None = None
    attention: Attention | None = None
    """Null unless a person's answer is awaited."""
    usage: Usage | None = None
    model_calls: int | None = Field(default=None, ge=0)
    """Calls of the model that the run's agents made; null where they were not counted."""
    model_calls_capped: bool | None = None
    """False: they passed no proxy that counts and limits them; null where no agent has asked a model."""
    reason: str | None = None
    """Why there was no work, in words."""
    error: RunError | None = None
    cancel_requested_at: Instant | None = None
    notes: str | None = None
    started_by: str | None = None
    """Who asked for it: an OS user, or the name of an API token; null where it was not recorded."""
    kind: str = PHASE
    """`ticks`: the run only ticks boxes of tasks that are done already, without an agent; else `phase`."""
    select: Selected | None = None
    """Null: every open task may be taken up."""
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


class RunEvent(WireModel):
    """One transition, written in the same transaction as the change."""

    id: int
    """Unique over all runs, and the place in the stream of all runs: its `Last-Event-ID`. Not always growing there."""
    seq: int
    """From 1, dense within the run."""
    run_id: UUID
    type: Annotated[EventType, Shown()]
    task_name: Annotated[TaskName, Shown()] | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    created_at: Instant
    actor: str | None = None
    """Who asked for it; null where the program went on by itself."""
