"""What is said when something goes wrong."""

from typing import Any

from moonmind.errors import ErrorInfo
from moonmind.wire.base import WireModel


class RunError(WireModel):
    """Why a run failed and what a person does next."""

    code: str
    """Stable, for programs."""
    message: str
    remediation: str | None = None
    details: dict[str, Any] | None = None

    @classmethod
    def of(cls, error: ErrorInfo) -> "RunError":
        """Return the public form of a recorded error."""
        return cls(
            code=error.code,
            message=error.message,
            remediation=error.remediation or None,
            details=dict(error.details) or None,
        )


class Problem(RunError):
    """The one error body of every answer that is not a success."""

    request_id: str | None = None
    """Names the request in the server's log."""
