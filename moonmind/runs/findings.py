"""What is found in a change, and what that means for its run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding means for the run, from the lightest to the gravest."""

    WARN = "warn"
    """The pull request names it."""
    DRAFT = "draft"
    """The pull request is a draft that begins with it."""
    ASK = "ask"
    """A person approves or rejects the change before anything is pushed."""
    REFUSE = "refuse"
    """Nothing is published."""

    @property
    def weight(self) -> int:
        """Return its place in the order."""
        return tuple(Severity).index(self)

    @classmethod
    def gravest(cls, severities: Iterable["Severity"]) -> "Severity":
        """Return the gravest of several; WARN for none."""
        return max(severities, key=lambda one: one.weight, default=cls.WARN)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that one path of the change meets."""

    path: str
    rule: str
    severity: Severity
    words: str
    task: str = ""
    """The id of the task that asks for just that; empty: none does."""

    @property
    def line(self) -> str:
        """Return what is said of it in one line."""
        return f"{self.path}: {self.words}" + (f" ({self.task} asks for it)" if self.task else "")


def those(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """Return the findings of one severity."""
    return tuple(one for one in findings if one.severity is severity)
