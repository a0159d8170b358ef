"""The verdict on one spec task, as apply records it and later stages read it."""

from dataclasses import dataclass
from typing import Any

from moonmind.runs.verdict import Verdict, read_verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one spec task and the reason in words."""

    id: str
    line: int
    verdict: Verdict
    because: str
    claimed: bool = False

    @property
    def key(self) -> str:
        """Name the task as `SpecTask.key` does."""
        return f"{self.line}:{self.id}"

    @property
    def words(self) -> str:
        """The verdict and its reason in one line."""
        return f"{self.verdict.value}: {self.because}"

    def as_json(self) -> dict[str, Any]:
        """Return the form in apply's outputs and the `apply_output` artifact."""
        return {
            "id": self.id,
            "line": self.line,
            "verdict": self.verdict.value,
            "because": self.because,
            "claimed": self.claimed,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Judgement":
        """Read what `as_json` wrote, earlier programs' words included."""
        because = str(body["because"])
        if body["verdict"] == "proven":
            because = because.removeprefix("changed: ")
        return cls(body["id"], body["line"], read_verdict(body["verdict"]), because, bool(body["claimed"]))
