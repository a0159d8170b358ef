"""Whether this process is alive and able."""

from typing import Literal, Self

from moonmind.ports.check import Check, CheckStatus
from moonmind.wire.base import WireModel


class Health(WireModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class CheckResult(WireModel):
    """One line of the readiness list."""

    name: str
    status: CheckStatus
    message: str
    remediation: str | None = None
    informational: bool = False
    """Shown, and never the reason why the process is not ready."""

    @classmethod
    def of(cls, check: Check) -> Self:
        """Return the public form of a probe's answer."""
        return cls(
            name=check.name,
            status=check.status,
            message=check.message,
            remediation=check.remediation or None,
            informational=check.informational,
        )


class Readiness(WireModel):
    """Whether runs are taken and moved now."""

    ready: bool
    checks: list[CheckResult]
