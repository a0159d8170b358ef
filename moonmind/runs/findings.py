"""What is found in a change, and what that means for its run. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What a finding means for the run."""

    REFUSED = "refused"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that one path of the change meets."""

    path: str
    rule: str
    severity: Severity
    words: str

    def as_json(self) -> dict[str, Any]:
        """Return the form in `apply_output` and in an error's details."""
        return {"path": self.path, "rule": self.rule, "severity": self.severity.value, "words": self.words}
