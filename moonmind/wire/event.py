"""What happened to a run."""

from typing import Any
from uuid import UUID

from pydantic import Field

from moonmind.runs.events import EventType
from moonmind.wire.base import Instant, WireModel
from moonmind.wire.task import TaskName


class RunEvent(WireModel):
    """One transition, written in the same transaction as the change."""

    id: int
    """Unique over all runs, and the place in the stream of all runs: its `Last-Event-ID`. Not always growing there."""
    seq: int
    """From 1, dense within the run."""
    run_id: UUID
    type: EventType
    task_name: TaskName | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    created_at: Instant
