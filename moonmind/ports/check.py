"""One answer of the preflight list: shared by every port that can be probed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CheckStatus(StrEnum):
    """What a probe found."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not applicable here, for a reason that the message gives."""
    UNKNOWN = "unknown"
    """The probe itself could not be made (a timeout, a 500): neither passed nor failed."""


@dataclass(frozen=True, slots=True)
class Check:
    """A probe's answer, ready for a table: what was looked at, what was found, how to fix it."""

    name: str
    """Stable, dotted: `codex.binary`, `codex.login`, `git.binary`."""
    status: CheckStatus
    message: str
    remediation: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Versions and places for the audit's snapshot; never a secret."""
    informational: bool = False
    """Shown, and never the reason why a process is not ready."""

    @property
    def failed(self) -> bool:
        """Return True if this result stops a run."""
        return self.status is CheckStatus.FAILED
