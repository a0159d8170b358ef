"""Whether this process is alive and able."""

from enum import StrEnum
from typing import Literal

from moonmind.wire.base import WireModel


class CheckOutcome(StrEnum):
    """What a probe found; `unknown` means the probe itself could not be made."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Health(WireModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class CheckResult(WireModel):
    """One line of the readiness list."""

    name: str
    status: CheckOutcome
    message: str
    remediation: str | None = None
    informational: bool = False
    """Shown, and never the reason why the process is not ready."""


class Readiness(WireModel):
    """Whether runs are taken and moved now."""

    ready: bool
    checks: list[CheckResult]
