"""Where a run's tasks stand."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from moonmind.runs.machine import AttemptState
from moonmind.wire.base import Instant, WireModel


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

    task_name: TaskName
    state: AttemptState
    message: dict[str, Any] = Field(default_factory=dict)
    """A small summary of what came out; after a failure `code`, `message`, `remediation`."""
    artifact_paths: list[str] = Field(default_factory=list)
    started_at: Instant | None = None
    finished_at: Instant | None = None
    retry_count: int = Field(0, ge=0)
    """Attempts at the same stage before this one."""
