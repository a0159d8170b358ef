"""What callers ask for."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from moonmind.errors import InvalidRequest
from moonmind.runs import naming
from moonmind.runs.attention import APPROVE, REJECT, VALUE_LENGTH
from moonmind.runs.chain import Stage
from moonmind.runs.kinds import TICKS
from moonmind.runs.machine import RetryMode
from moonmind.speckit.selection import Selection
from moonmind.wire.base import Text, WireModel, must_match

REPOSITORY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$"
FEATURE_KEY_LENGTH, FEATURE_PATH_LENGTH = 120, 512
_FOLDER = r"(?!\s*\.{0,2}\s*(/|$))[^/\\]+"
FEATURE_PATTERN = rf"^(?=[^/]{{0,{FEATURE_KEY_LENGTH}}}$|[^/]*/)\s*((\./)?{_FOLDER}(/{_FOLDER})*/*\s*)?$"
"""A key, or a path, which may be longer: no folder of it is empty, `.` or `..`, but for `./` in front and `/` behind."""
NOTES_LENGTH = 1024
WHY_LENGTH = 500
SELECTED, SELECTED_LENGTH = 200, 200
"""Ids or ranges in one list of a selection, and characters in each of its texts."""


def _repository(value: str) -> str:
    try:
        return naming.repository(value)
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def _feature(value: str) -> str:
    if len(value) > FEATURE_KEY_LENGTH and "/" not in value:
        raise ValueError(f"at most {FEATURE_KEY_LENGTH} characters, or {FEATURE_PATH_LENGTH} of a path")
    if not naming.is_feature_request(value):
        raise ValueError(
            "must be a feature's folder, number or path from the top of the repository, such as specs/001-a: "
            "no `/` in front, no `\\`, and no folder that is empty, `.` or `..`"
        )
    return value


RepositoryName = Annotated[Text, AfterValidator(_repository), Field(json_schema_extra={"pattern": REPOSITORY_PATTERN})]
FeatureName = Annotated[
    Text,
    AfterValidator(_feature),
    Field(max_length=FEATURE_PATH_LENGTH, json_schema_extra={"pattern": FEATURE_PATTERN}),
]
Notes = Annotated[Text, Field(max_length=NOTES_LENGTH)]


FINGERPRINT = r"^[0-9a-f]{16}$"
"""How a finding is named."""
Fingerprint = Annotated[
    str,
    must_match(FINGERPRINT, "must be a finding's fingerprint: 16 digits of 0-9 and a-f"),
    Field(json_schema_extra={"pattern": FINGERPRINT}),
]


COMMIT = r"^[0-9a-f]{40}$"
CommitName = Annotated[
    str,
    must_match(COMMIT, "must be a commit's whole name: 40 digits of 0-9 and a-f"),
    Field(json_schema_extra={"pattern": COMMIT}),
]


class _Request(WireModel):
    """A body from outside: a misspelt field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid")


SelectedText = Annotated[Text, Field(max_length=SELECTED_LENGTH)]
SelectedTasks = Annotated[list[SelectedText], Field(max_length=SELECTED)]


class Select(_Request):
    """Choose among the open tasks of the feature, as `speckit next` does; what is absent leaves all of them in."""

    phase: SelectedText | None = None
    """A phase, by its heading or its number."""
    story: SelectedText | None = None
    """`US1`."""
    tasks: SelectedTasks = Field(default_factory=list)
    """Ids such as `T012`, and ranges such as `T001-T005`."""
    skip: SelectedTasks = Field(default_factory=list)
    """Ids and ranges to leave out."""
    commit: CommitName | None = None
    """With the kind `ticks`: where the tasks were looked at; none is ticked whose text is another one by now."""
    why: Annotated[Text, Field(min_length=1, max_length=WHY_LENGTH)] | None = None
    """With the kind `ticks`: why the tasks are taken as done; named with the person in the pull request."""

    @field_validator("phase", "story", "tasks", "skip")
    @classmethod
    def _read(cls, value: str | list[str] | None, info: ValidationInfo) -> str | list[str] | None:
        """Refuse what cannot be read, under the name of its field."""
        if value is None or value == []:
            return value
        # A blank text would be read as no choice at all, which means every task.
        if not all(text.strip(" \t,") for text in ([value] if isinstance(value, str) else value)):
            raise ValueError("must not be blank")
        try:
            given: dict[str, Any] = {str(info.field_name): value}
            Selection.read(**given)
        except InvalidRequest as error:
            raise ValueError(f"{error.message}. {error.advice}") from None
        return value

    def stored(self) -> dict[str, Any] | None:
        """Return what was chosen, as it is kept with the run; None where that is nothing."""
        return {name: value for name, value in self.model_dump().items() if value} or None


class CreateRun(_Request):
    """Ask for one run."""

    repository: RepositoryName
    """`owner/name`."""
    feature_key: FeatureName | None = None
    """The feature's folder, number or path; absent: the repository's one unfinished feature."""
    force_phase: Literal[Stage.DISCOVER, Stage.SUBMIT, Stage.APPLY, Stage.PUBLISH] | None = None
    """Start at this stage with what the feature's newest ended run left."""
    notes: Notes | None = None
    """For the agent's prompt."""
    select: Select | None = None
    """Which of the feature's open tasks may be taken up; absent: all."""
    kind: Literal["phase", "ticks"] | None = None
    """`ticks`: only tick the boxes of the selected tasks, which are done already; absent: `phase`."""

    @model_validator(mode="after")
    def _compared(self) -> Self:
        if self.select is not None and self.select.commit and not (self.kind == TICKS and self.select.tasks):
            raise ValueError("select.commit goes with select.tasks and the kind ticks")
        if self.select is not None and self.select.why and self.kind != TICKS:
            raise ValueError("select.why goes with the kind ticks")
        return self


class AcceptTasks(_Request):
    """Tick boxes of an ended run's phase as the person who asks for it."""

    tasks: Annotated[list[SelectedText], Field(min_length=1, max_length=SELECTED)]
    """Their ids, as the run's verdicts name them."""
    reason: Annotated[Text, Field(min_length=1, max_length=WHY_LENGTH)]
    """Why they are taken as done; kept with the run that ticks them, and named in the pull request."""


class AcceptFindings(_Request):
    """What a person takes for harmless although it looks like a secret."""

    fingerprints: Annotated[list[Fingerprint], Field(min_length=1, max_length=50)]
    """As the run's error names them."""
    reason: Annotated[Text, Field(min_length=1, max_length=WHY_LENGTH)]
    """Kept with the run and named in the pull request."""


class RetryRun(_Request):
    """Ask that an ended run goes on."""

    mode: RetryMode = RetryMode.RESUME_FAILED_TASK
    notes: Notes | None = None
    accept_findings: AcceptFindings | None = None
    """For a run that ended with `secret_suspected`, and `resume_failed_task`."""


_OTHER = {APPROVE: REJECT, REJECT: APPROVE}
_ANSWERS = ("choice", "text", *_OTHER)


class AnswerRun(_Request):
    """Answer what a run asks: with exactly one of `choice`, `text`, `approve` and `reject`."""

    question: Annotated[int, Field(strict=True, ge=0)] | None = None
    """`question` of the attention that is answered; absent: whatever the run asks now."""
    choice: Annotated[Text, Field(min_length=1, max_length=VALUE_LENGTH)] | None = None
    """The `value` of one of the options."""
    text: Annotated[Text, Field(min_length=1, max_length=NOTES_LENGTH)] | None = None
    """Where no options are offered."""
    approve: Literal[True] | None = None
    reject: Literal[True] | None = None
    why: Annotated[Text, Field(min_length=1, max_length=WHY_LENGTH)] | None = None
    """Kept with the answer."""

    @field_validator("approve", "reject", mode="before")
    @classmethod
    def _true(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `false`: whoever sends it may mean the other answer, or none yet."""
        if value is not None and value is not True:
            raise ValueError(f"must be true or left out; the other answer is `{_OTHER[str(info.field_name)]}: true`")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in _ANSWERS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of choice, text, approve and reject is the answer; sent: {' and '.join(given) or 'none'}"
            )
        return self
