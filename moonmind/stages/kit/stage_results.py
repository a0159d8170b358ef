"""What submit, apply and publish leave for the stages after them, and what submit's next attempt resumes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from moonmind.engine.stage_state import Checkpoint, StageResult
from moonmind.ports.vcs import LeftOut
from moonmind.runs.chain import Stage
from moonmind.runs.verdict import Verdict, current_word


@dataclass(frozen=True, slots=True)
class EnvironmentUse:
    """An environment of a repository that an agent worked in, or that could not be set up for it."""

    root: str
    """The folder that it is for, `.` for the whole repository."""
    key: str = ""
    """Empty where it could not be set up."""
    setup: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    seconds: float = 0.0
    """How long its build took, whenever that was."""
    problem: str = ""
    """Why the agent worked without it: the last lines of its build."""


class SubmitCheckpoint(Checkpoint):
    """The job and its thread, and the plan they belong to."""

    stage: ClassVar[Stage] = Stage.SUBMIT

    v: int = 1
    """For whoever reads the row: no version is refused, since the job is found by this to be stopped."""
    starting_commit: str | None = None
    phase: str | None = None
    """With `starting_commit`: the plan that the rest belongs to."""
    attempt: int | None = None
    """The attempt that wrote this."""
    agent: str | None = None
    """The adapter that does the work: `codex`, `scripted`."""
    sandbox: str | None = None
    """What confines it: `docker`, `bubblewrap`, `codex`, `none`."""
    image: str | None = None
    """The image that the repository names; in other sandboxes than `docker` it is not used."""
    spent_jobs: int = 0
    """Jobs of that attempt that are over although it goes on."""
    job_key: str | None = None
    """The job that the run waits for: the agent's, or one that builds an environment."""
    builds: tuple[str, ...] = ()
    """The jobs building environments that this attempt has waited for."""
    environments: tuple[EnvironmentUse, ...] = ()
    """What the agent works in."""
    rebuilt: str | None = None
    """The commit with work that changed what the tests need: the agent goes on in an environment of that."""
    rebuilt_in: int | None = None
    """The attempt that had its further round for this."""
    finished_job: str | None = None
    """A job that is complete and only waits to be taken over."""
    codex_task_id: str | None = None
    codex_logs_path: str | None = None
    usage: Mapping[str, Any] | None = None
    """Tokens and calls of the model, as in the run's column."""
    calls_base: int | None = None
    """The calls that the run had made when its present allowance began."""
    notes_mark: str | None = None
    """The operator's notes at the time of the finished job."""
    ended: str | None = None
    """How the last job ended, for the agent's next prompt."""
    wip: str | None = None
    """The commit with the unfinished work."""
    partial_patch: str | None = None
    """The stored patch of the same."""
    patch_path: str | None = None
    """Where an earlier program kept it."""
    leaks: tuple[str, ...] | None = None
    """Paths of the unfinished work that hold a known secret."""


class SubmitResult(StageResult):
    """The agent's finished work."""

    stage: ClassVar[Stage] = Stage.SUBMIT

    v: Literal[1] = 1
    starting_commit: str | None = None
    phase: str | None = None
    agent: str | None = None
    """The adapter that did the work; None in results of before this was written down."""
    sandbox: str | None = None
    """What confined it; None as above."""
    image: str | None = None
    """As in the checkpoint."""
    job_key: str | None = None
    environments: tuple[EnvironmentUse, ...] = ()
    rebuilt: str | None = None
    """As in the checkpoint."""
    codex_task_id: str | None = None
    codex_logs_path: str | None = None
    usage: Mapping[str, Any] | None = None
    calls_base: int | None = None
    notes_mark: str | None = None
    """The operator's notes that the agent worked with."""
    wip: str | None = None
    """The commit with the work."""
    patch_path: str | None = None
    patch_digest: str | None = None
    archive_path: str | None = None
    """The archive of what no patch holds."""
    left_out: tuple[LeftOut, ...] = ()
    report: str = ""
    """The end of the agent's last message."""

    def resumed(self) -> SubmitCheckpoint:
        """Return what an attempt starts from that does the same work again, in the same thread."""
        return SubmitCheckpoint(
            starting_commit=self.starting_commit,
            phase=self.phase,
            codex_task_id=self.codex_task_id,
            calls_base=self.calls_base,
            rebuilt=self.rebuilt,
        )


@dataclass(frozen=True, slots=True)
class TestEvidence:
    """What one test showed of a task."""

    __test__ = False

    id: str
    before: str
    """On the old code: `failed`, `passed`, `not there`, `could not be loaded`, or empty where it was not run there."""
    after: str
    """On the new code."""
    probe: str = ""
    """With the changed functions emptied: `failed`, `passed`, or empty where that was not tried, or says nothing of what they do."""


@dataclass(frozen=True, slots=True)
class VerifiedCommand:
    """One test command, and what came of it. Lists of tests are bounded; the run's artifacts have all."""

    name: str
    outcome: str
    """`passed`, `failed`, `failed before`, `flaky`, `could not run` or `skipped`."""
    why: str = ""
    root: str = "."
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    passed_before: int | None = None
    """None where it was not run on the old code, or has no report."""
    failed_before: int | None = None
    broke: tuple[str, ...] = ()
    """Tests that passed before and fail now, twice."""
    flaky: tuple[str, ...] = ()
    fails_as_before: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    """Tests that ran before and do not run now."""
    now_skipped: tuple[str, ...] = ()
    excerpt: str = ""
    """Of what it printed, where it failed: hostile text."""
    log: str | None = None
    """The artifact with what it printed."""
    notes: tuple[str, ...] = ()
    """What is not as it should be with its reports: one that is too large."""


@dataclass(frozen=True, slots=True)
class TestFinding:
    """Something in the change that makes its tests say less than they seem to."""

    __test__ = False

    where: str
    """A path or the id of a test."""
    words: str
    confirms_nothing: bool = False
    """The tests that were run show nothing because of it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What the repository's tests say of a change."""

    commands: tuple[VerifiedCommand, ...] = ()
    not_run: str = ""
    """Why no command was run; empty where one was."""
    source: str = ""
    """Where the commands come from, in words: `.moonmind.yml`, `found in pyproject.toml`, `found in the change`."""
    sandbox: str = ""
    """What confined them."""
    findings: tuple[TestFinding, ...] = ()
    draft: str = ""
    """Why the pull request is a draft; empty where it is none."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one spec task and the reason in words."""

    id: str
    line: int
    verdict: Verdict
    because: str
    claimed: bool = False
    said: str = ""
    """The agent's own words on it, its reason where it says that it is not done: hostile text on one line."""
    tests: tuple[TestEvidence, ...] = ()
    """The tests that decided it, a few of them."""
    held: str = ""
    """Why its box stays open although the verdict would tick it: the repository asks for more (`policy.tick`)."""

    @property
    def key(self) -> str:
        """Name the task as `SpecTask.key` does."""
        return f"{self.line}:{self.id}"

    @property
    def ticks(self) -> bool:
        """Return True if the task's box is ticked."""
        return self.verdict.ticks and not self.held

    @property
    def words(self) -> str:
        """The verdict and its reason in one line."""
        return f"{self.verdict.value}: {self.because}"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of the change; lines added and deleted are -1 for a binary file."""

    path: str
    status: str
    added: int
    deleted: int


@dataclass(frozen=True, slots=True)
class NothingRan:
    """That none of the test commands that `.moonmind.yml` names could be run on a change."""

    why: tuple[str, ...]
    """Of each command, in a line."""
    recipe: str
    """Stands for what `.moonmind.yml` says of these commands, and of environments."""
    approved: str = ""
    """Who approved of that in an earlier run of the repository, and why: then nobody is asked. Empty where nobody did."""
    partly: bool = False
    """It names other commands, which are for other files."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word that a change may be pushed although the policy asks first, or no test of it could be run."""

    findings: tuple[str, ...]
    """What it is for, a line each."""
    paths: tuple[str, ...]
    by: str | None = None
    """None where nobody knows."""
    why: str | None = None
    at: datetime | None = None
    recipe: str | None = None
    """Stands for the commands of which none could be run: these are not asked about again. None where that was not the question."""

    @property
    def words(self) -> str:
        """Return who approved, and why."""
        return f"approved by {self.by or 'a person'}" + (f": {self.why}" if self.why else "")


class Judged(StageResult):
    """What apply found in a change, whether it may be published or not."""

    stage: ClassVar[Stage] = Stage.APPLY
    version: ClassVar[int] = 2

    v: Literal[2] = 2
    verdicts: tuple[Judgement, ...]
    ticked: tuple[str, ...]
    left_open: tuple[str, ...] = ()
    files: tuple[ChangedFile, ...]
    added: int
    deleted: int
    warnings: tuple[str, ...] = ()
    verification: str = ""
    """In a sentence, what was run."""
    tests: Verification | None = None
    """None in results of programs that ran no tests."""
    decisions: tuple[str, ...] = ()
    """What the agent says that it decided: hostile text, a line each."""
    remarks: tuple[str, ...] = ()
    """What else it says."""
    feature_title: str = ""
    """The feature's name in its spec.md; empty where that gives none."""
    draft: str = ""
    """Why the policy makes a draft of the pull request; empty where it does not."""
    approval: Approval | None = None
    """Who let the change pass that the policy asks about; None where it asks nothing, or nobody answered."""

    @property
    def not_ready(self) -> str:
        """Return why the change is not ready to be merged: what its tests say, then the policy; empty where it may be."""
        return "; ".join(filter(None, (self.tests.draft if self.tests is not None else "", self.draft)))


class ApplyResult(Judged):
    """What apply made of a change that may be published. Version 1 had `proven`, `attested`, `unproven`."""

    commit: str
    patch_path: str | None = None
    patch_digest: str | None = None
    message: str
    committed_at: datetime
    title: str = ""
    summary: str = ""
    accepted: tuple[Mapping[str, str], ...] | None = None
    """The findings that a person accepted, each with the reason."""

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a result of version 1 in today's words."""
        if stored["v"] != 1:
            return stored
        return {
            **stored,
            "v": 2,
            "leftOpen": stored.get("unproven", ()),
            "verdicts": [
                {
                    **one,
                    "verdict": current_word(one["verdict"]),
                    "because": one["because"].removeprefix("changed: ")
                    if one["verdict"] == "proven"
                    else one["because"],
                }
                for one in stored["verdicts"]
            ],
        }


class ApplyCheckpoint(Checkpoint):
    """What a person decided before the change is judged once more."""

    stage: ClassVar[Stage] = Stage.APPLY

    accepted: tuple[Mapping[str, str], ...] = ()
    """The findings that a person accepted at a retry, each with the reason."""
    job_key: str | None = None
    """The test job that the run waits for."""
    asked: str | None = None
    """Names what a person was asked about: the findings, and the files as they were then."""
    asked_of: str | None = None
    """The commit with the work that was asked about."""
    rejected: tuple[str, ...] = ()
    """The paths of what a person rejected: asked about again whatever the rules say by then."""
    nothing_ran: NothingRan | None = None
    """What a person was asked about beside the policy's findings."""
    tests_again: int | None = None
    """The attempt in which all tests were run once more, since the host had let none of them run."""
    build_again: str | None = None
    """The build of what they need that the sandbox ended under: it is begun anew with them."""
    fetched: int | None = None
    """The attempt in which the base branch was last fetched for its rules."""
    verdicts: tuple[Judgement, ...] = ()
    """What was said of its tasks, so that no test is run again for an answer."""
    tests: Verification | None = None


class PublishResult(StageResult):
    """The branch and its pull request."""

    stage: ClassVar[Stage] = Stage.PUBLISH

    v: Literal[1] = 1
    branch: str = Field(validation_alias="branchName", serialization_alias="branchName")
    pull_request_url: str
    pull_request_number: int
    commit: str
    draft: bool | None = None
    """The pull request cannot be merged before a person marks it as ready for review."""
