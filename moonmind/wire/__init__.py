"""The public JSON that API, CLI and clients share."""

from moonmind.wire.base import Instant, Text, WireModel, writable
from moonmind.wire.health import CheckResult, Health, Readiness
from moonmind.wire.problems import Problem, RunError
from moonmind.wire.requests import FINGERPRINT, AcceptFindings, CreateRun, RetryRun
from moonmind.wire.runs import (
    Progress,
    RunEvent,
    RunPage,
    SpecWorkflowRun,
    TaskName,
    Usage,
    Waiting,
    WorkflowArtifact,
    WorkflowCredentialAudit,
    WorkflowTaskState,
)

__all__ = [
    "FINGERPRINT",
    "AcceptFindings",
    "CheckResult",
    "CreateRun",
    "Health",
    "Instant",
    "Problem",
    "Progress",
    "Readiness",
    "RetryRun",
    "RunError",
    "RunEvent",
    "RunPage",
    "SpecWorkflowRun",
    "TaskName",
    "Text",
    "Usage",
    "Waiting",
    "WireModel",
    "WorkflowArtifact",
    "WorkflowCredentialAudit",
    "WorkflowTaskState",
    "writable",
]
