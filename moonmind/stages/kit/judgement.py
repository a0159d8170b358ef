"""The verdict on one spec task, as apply records it and later stages read it."""

from dataclasses import dataclass

from moonmind.runs.verdict import Verdict


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
