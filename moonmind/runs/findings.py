"""What is found in a change, and what that means for its run. Pure."""

from dataclasses import dataclass
from enum import StrEnum


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
