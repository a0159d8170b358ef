"""What a run would take up, as `speckit next --json` says it, and whether it could start."""

from typing import Annotated

from pydantic import Field

from moonmind.speckit.answer import AnswerKind
from moonmind.wire.base import Instant, Shown, WireModel
from moonmind.wire.problems import RunError
from moonmind.wire.readiness import CheckResult


class PreviewTask(WireModel):
    """A task that the run would take up."""

    id: str
    text: str
    line: int | None = None
    """1-based, in tasks.md."""
    evidence: str | None = None
    """With the kind `ticks`: what shows that it is done already."""


class PreviewLeft(WireModel):
    """An open task that is not an agent's."""

    id: str
    line: int
    """1-based, in tasks.md."""
    kind: str
    words: str
    """What led to it, in tasks.md."""
    who: str
    """Who has to do it."""


class PreviewCandidate(WireModel):
    """A feature that may be meant, with what there is to know of it."""

    feature: str
    """Its path."""
    total: int = Field(ge=0)
    """Tasks of its tasks.md."""
    open: int = Field(ge=0)
    named: int = Field(ge=0)
    """Open tasks that name files."""
    there: int = Field(ge=0)
    """Those of `named` of which every file exists."""
    phase: str | None = None
    """Its next phase."""
    changed_at: Annotated[Instant | None, Field(alias="changed_at")] = None
    """When its folder was last changed."""
    pull_request: Annotated[str | None, Field(alias="pull_request")] = None
    """The address of its open pull request."""


class RunPreview(WireModel):
    """What a run would take up now; nothing was created.

    The names are those of `speckit next --json`, also where they consist of several words.
    """

    answer: Annotated[AnswerKind, Shown()]
    asks: str | None = None
    """With the answer `ask`, what a person is asked: `choose_feature`, `stale_boxes`."""
    feature: str | None = None
    """The feature's path."""
    choice: str | None = None
    """Why this feature, in words."""
    phase: str | None = None
    tasks: list[str] = Field(default_factory=list)
    """Ids, in the file's order."""
    left_for_people: Annotated[list[str], Field(alias="left_for_people")] = Field(default_factory=list)
    left: list[PreviewLeft] = Field(default_factory=list)
    """The same tasks, each with what led to it."""
    reason: str | None = None
    """Why there is nothing to take up, or what a person is asked."""
    reasons: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    candidates: list[PreviewCandidate] = Field(default_factory=list)
    work: list[PreviewTask] = Field(default_factory=list)
    """The tasks with their text."""
    commit: str | None = None
    """What was looked at: the commit that the work would start from; None where that was not decided."""
    branch: str | None = None
    base: str | None = None
    """The branch that the pull request would go to."""
    error: RunError | None = None
    """With the answer `refuse`: what a run would end with."""
    ready: bool
    """No check failed."""
    checks: list[CheckResult] = Field(default_factory=list)
