"""Judges each spec task of the phase by what the change and the tests show; a claim alone proves nothing."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from moonmind.stages.plan import PlanTask

_SHOWN = 3


class Verdict(StrEnum):
    """What the evidence says of one spec task."""

    PROVEN = "proven"
    """A path it names is in the change, or a test it names ran and passed."""
    ATTESTED = "attested"
    """It names nothing that could be checked, and the agent says it is done."""
    UNPROVEN = "unproven"
    """Nothing shows that it is done."""
    CONTRADICTED = "contradicted"
    """A test it names failed, or the agent claims it and nothing that it names exists."""

    @property
    def ticks(self) -> bool:
        """Tell whether the task's box is ticked."""
        return self in {Verdict.PROVEN, Verdict.ATTESTED}


WORDS: Mapping[Verdict, str] = {
    Verdict.PROVEN: "proven",
    Verdict.ATTESTED: "attested (the agent said so)",
    Verdict.UNPROVEN: "not proven",
    Verdict.CONTRADICTED: "contradicted",
}
"""How each verdict is said to people."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification job reported: tests by path, and whether it failed as a whole."""

    passed: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    failing: bool = False


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

    def as_json(self) -> dict[str, Any]:
        """Give the form in apply's outputs and the `apply_output` artifact."""
        return {
            "id": self.id,
            "line": self.line,
            "verdict": self.verdict.value,
            "because": self.because,
            "claimed": self.claimed,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Judgement":
        """Read what `as_json` wrote."""
        return cls(body["id"], body["line"], Verdict(body["verdict"]), body["because"], bool(body["claimed"]))


def judge(
    tasks: Iterable[PlanTask],
    *,
    changed: Collection[str],
    tree: Collection[str],
    claimed: Collection[str],
    verification: Verification | None = None,
) -> tuple[Judgement, ...]:
    """Judge the tasks in order.

    `changed` are the paths in the change without tasks.md (deleted ones included), `tree` all paths after it, `claimed`
    the ids that the agent says are done.
    """
    return tuple(_judge(task, changed, tree, task.id in claimed, verification) for task in tasks)


def _judge(
    task: PlanTask, changed: Collection[str], tree: Collection[str], claimed: bool, verification: Verification | None
) -> Judgement:
    def say(verdict: Verdict, because: str) -> Judgement:
        return Judgement(task.id, task.line, verdict, because, claimed)

    seen = verification or Verification()
    if failed := [test for test in task.tests if test in seen.failed]:
        return say(Verdict.CONTRADICTED, f"the test it names failed: {_some(failed)}")
    if passed := [test for test in task.tests if test in seen.passed]:
        return say(Verdict.PROVEN, f"the test it names ran and passed: {_some(passed)}")
    if found := sorted({path for named in task.paths for path in _hits(named, changed, tree)}):
        return say(Verdict.PROVEN, f"changed: {_some(found)}")
    if task.paths:
        there = any(_hits(named, tree, tree) for named in task.paths)
        if claimed and not there:
            return say(Verdict.CONTRADICTED, f"claimed, but nothing it names exists: {_some(task.paths)}")
        return say(Verdict.UNPROVEN, f"nothing it names was changed: {_some(task.paths)}")
    if not claimed:
        return say(Verdict.UNPROVEN, "it names nothing to check, and the agent does not say it is done")
    if seen.failing:
        return say(Verdict.UNPROVEN, "the agent says it is done, but the verification fails")
    return say(Verdict.ATTESTED, "the agent says it is done; it names nothing to check")


def _hits(named: str, paths: Collection[str], tree: Collection[str]) -> tuple[str, ...]:
    """Find the paths that a name stands for: the file, what lies in the folder, else the same tail further down."""
    name = named.rstrip("/")
    exact = _exact(name, paths)
    # A task of a sub-project names files from there; the tail counts only where the root holds no such path.
    if exact or _exact(name, tree):
        return exact
    return tuple(path for path in paths if path.endswith(f"/{name}") or f"/{name}/" in path)


def _exact(name: str, paths: Collection[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if path == name or path.startswith(f"{name}/"))


def _some(paths: Iterable[str]) -> str:
    shown = list(paths)
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
