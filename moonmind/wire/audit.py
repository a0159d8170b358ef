"""What was found of the credentials."""

from enum import StrEnum

from pydantic import Field

from moonmind.wire.base import Instant, WireModel


class CredentialStatus(StrEnum):
    """The answer of one probe."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class WorkflowCredentialAudit(WireModel):
    """The probe of Codex's and GitHub's credentials before an agent is started; never a secret."""

    codex_status: CredentialStatus
    codex_checked_at: Instant | None = None
    codex_message: str | None = None
    github_status: CredentialStatus
    github_checked_at: Instant | None = None
    github_message: str | None = None
    environment_snapshot: dict[str, str] = Field(default_factory=dict)
    """Versions, places and the `CODEX_ENV` label."""
