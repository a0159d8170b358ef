"""What is said about a run: the public JSON that API, CLI, webhooks and clients share."""

from moonmind.wire.artifact import WorkflowArtifact
from moonmind.wire.audit import CredentialStatus, WorkflowCredentialAudit
from moonmind.wire.base import Instant, Text, WireModel, writable
from moonmind.wire.event import RunEvent
from moonmind.wire.health import CheckOutcome, CheckResult, Health, Readiness
from moonmind.wire.problem import Problem, RunError
from moonmind.wire.requests import FINGERPRINT, AcceptFindings, CreateRun, RetryRun
from moonmind.wire.run import Progress, RunPage, SpecWorkflowRun, Usage, Waiting
from moonmind.wire.task import TaskName, WorkflowTaskState

__all__ = [
    "FINGERPRINT",
    "AcceptFindings",
    "CheckOutcome",
    "CheckResult",
    "CreateRun",
    "CredentialStatus",
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
