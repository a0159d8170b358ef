"""The public JSON that API, CLI and clients share."""

from moonmind.wire.base import Instant, Text, WireModel, writable
from moonmind.wire.preview import PreviewCandidate, PreviewLeft, PreviewTask, RunPreview
from moonmind.wire.problems import Problem, RunError
from moonmind.wire.public_environment import (
    BuiltEnvironment,
    BuiltEnvironments,
    HostEnvironment,
    HostEnvironments,
    KeptEnvironment,
    RemovedEnvironments,
    RepositoryEnvironment,
    RepositoryEnvironments,
)
from moonmind.wire.public_run import (
    Attention,
    AttentionOption,
    Progress,
    RunEvent,
    RunPage,
    Selected,
    SpecWorkflowRun,
    TaskName,
    Usage,
    Waiting,
    WorkflowArtifact,
    WorkflowCredentialAudit,
    WorkflowTaskState,
)
from moonmind.wire.public_token import ApiToken, NewApiToken
from moonmind.wire.readiness import CheckResult, Health, Readiness
from moonmind.wire.requests import FINGERPRINT, AcceptFindings, AcceptTasks, AnswerRun, CreateRun, RetryRun, Select

__all__ = [
    "FINGERPRINT",
    "AcceptFindings",
    "AcceptTasks",
    "AnswerRun",
    "ApiToken",
    "Attention",
    "AttentionOption",
    "BuiltEnvironment",
    "BuiltEnvironments",
    "CheckResult",
    "CreateRun",
    "Health",
    "HostEnvironment",
    "HostEnvironments",
    "Instant",
    "KeptEnvironment",
    "NewApiToken",
    "PreviewCandidate",
    "PreviewLeft",
    "PreviewTask",
    "Problem",
    "Progress",
    "Readiness",
    "RemovedEnvironments",
    "RepositoryEnvironment",
    "RepositoryEnvironments",
    "RetryRun",
    "RunError",
    "RunEvent",
    "RunPage",
    "RunPreview",
    "Select",
    "Selected",
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
