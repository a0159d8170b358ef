"""From rows to the public JSON."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest

from moonmind import bootstrap
from moonmind.errors import ErrorInfo
from moonmind.runs import naming
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.runs.records import Artifact, Attempt, CredentialAudit, Event
from moonmind.runs.words import read_word
from moonmind.services import run_views
from moonmind.wire import SpecWorkflowRun, TaskName
from tests.support.stage_parts import A_RUN, AN_ATTEMPT

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ID = UUID("0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11")
CHAIN = UUID("6f0d6a52-9d0b-4a8e-8d53-0c52c1f1a7aa")

RUN = replace(
    A_RUN,
    id=ID,
    repository="MoonMind/Reference",
    repository_key="moonmind/reference",
    requested_key="42",
    feature_key="specs/spec-42-refresh-docs",
    stage=Stage.SUBMIT,
    fence=3,
    lease_owner=None,
    lease_until=None,
    not_before=NOW + timedelta(minutes=1),
    dispatch_after=NOW,
    deadline=NOW + timedelta(days=1),
    event_seq=4,
    chain_id=CHAIN,
    notes="carefully",
    started_by="ana",
    phase="Phase 2: Foundational",
    branch="moonmind/spec-42-refresh-docs",
    codex_task_id="thread-1",
    codex_logs_path="codex/attempt-1.jsonl",
    usage={"inputTokens": 5, "outputTokens": 2},
    created_at=NOW,
    updated_at=NOW,
)


def an_attempt(stage: Stage, number: int = 1, state: AttemptState = AttemptState.WAITING, **other: Any) -> Attempt:
    values: dict[str, Any] = {"created_at": NOW, "started_at": None, **other}
    number_of_row = stage.position * 10 + number
    return replace(AN_ATTEMPT, id=number_of_row, run_id=ID, stage=stage, number=number, state=state, **values)


def an_artifact(kind: str, path: str) -> Artifact:
    return Artifact(ID, kind, path, "text/plain", 3, "sha256:abc", NOW)


def test_a_run_is_shown_with_the_names_of_the_contract() -> None:
    shown = run_views.run_view(RUN, [an_attempt(stage) for stage in STAGES], [], stages=bootstrap.STAGES).model_dump(
        mode="json", by_alias=True
    )
    expected: dict[str, Any] = {
        "id": str(ID),
        "repository": "MoonMind/Reference",
        "status": "running",
        "createdAt": "2026-11-22T09:00:00Z",
        "featureKey": "spec-42-refresh-docs",
        "branchName": "moonmind/spec-42-refresh-docs",
        "pullRequestUrl": None,
        "currentTaskName": "submit",
        "celeryChainId": str(CHAIN),
        "codexTaskId": "thread-1",
        "codexLogsPath": "codex/attempt-1.jsonl",
        "phase": "Phase 2: Foundational",
        "progress": {"done": 1, "total": 5},
        "waiting": None,
        "usage": {"inputTokens": 5, "cachedInputTokens": 0, "outputTokens": 2, "reasoningOutputTokens": 0},
        "notes": "carefully",
        "startedBy": "ana",
        "artifacts": [],
        "credentialAudit": None,
    }
    assert {name: shown[name] for name in expected} == expected
    assert [task["taskName"] for task in shown["tasks"]] == ["discover", "submit", "apply", "publish", "finalize"]


def test_nothing_of_the_engines_bookkeeping_is_shown() -> None:
    shown = set(run_views.run_view(RUN).model_dump(by_alias=True))
    assert not shown & {
        "fence",
        "leaseOwner",
        "notBefore",
        "dispatches",
        "agentHost",
        "jobKey",
        "requestDigest",
        "result",
        "checkpoint",
    }


@pytest.mark.parametrize(
    ("found", "asked", "shown"),
    [
        ("specs/spec-42", "42", "spec-42"),
        ("specs/team/001-x/", "", "001-x"),
        (None, "spec-42", "spec-42"),
        (None, "", None),
    ],
)
def test_the_feature_is_its_folder_once_it_is_found(found: str | None, asked: str, shown: str | None) -> None:
    for branch in (None, "moonmind/spec-42", "moonmind/by-hand"):
        run = replace(RUN, feature_key=found, requested_key=asked, branch=branch)
        assert run_views.run_view(run).feature_key == shown


@pytest.mark.parametrize("path", ["specs/001-a", "backend/specs/001-a", "apps/web/specs/001-a", "b/specs/team/001-a"])
def test_a_feature_whose_folders_name_is_not_its_own_is_shown_by_its_path(path: str) -> None:
    branches = [naming.branch(naming.path_slug(path, digits), number) for digits in (8, 64) for number in (1, 2)]
    for branch in branches:
        run = replace(RUN, feature_key=path, requested_key="", branch=branch)
        assert run_views.run_view(run).feature_key == path
    others = replace(RUN, feature_key="web/specs/001-a", requested_key="", branch=branches[0])
    assert run_views.run_view(others).feature_key == "001-a"


def test_a_run_without_work_is_shown_by_the_place_that_was_asked_for() -> None:
    run = replace(RUN, feature_key="backend/specs/001-a", requested_key="backend/001-a", branch=None)
    assert run_views.run_view(run).feature_key == "backend/specs/001-a"


@pytest.mark.parametrize(
    ("status", "stage", "current", "done"),
    [
        (RunStatus.PENDING, Stage.DISCOVER, "discover", 0),
        (RunStatus.FAILED, Stage.PUBLISH, "publish", 3),
        (RunStatus.CANCELLED, Stage.SUBMIT, "submit", 1),
        (RunStatus.NO_WORK, Stage.DISCOVER, None, 0),
        (RunStatus.SUCCEEDED, Stage.FINALIZE, None, 5),
    ],
)
def test_the_current_task_and_the_progress_follow_the_stage(
    status: RunStatus, stage: Stage, current: str | None, done: int
) -> None:
    shown = run_views.run_view(replace(RUN, status=status, stage=stage))
    assert (shown.current_task_name, shown.progress.done if shown.progress else None) == (current, done)


def test_a_wait_is_shown_until_it_is_over() -> None:
    waiting = replace(RUN, waiting_reason=WaitingReason.CAPACITY)
    shown = run_views.run_view(waiting, now=NOW).waiting
    assert shown is not None
    assert (shown.reason, shown.until) == (WaitingReason.CAPACITY, NOW + timedelta(minutes=1))
    assert run_views.run_view(waiting, now=NOW + timedelta(minutes=1)).waiting is None


def test_an_agent_at_work_is_shown_past_its_relook() -> None:
    waiting = replace(RUN, waiting_reason=WaitingReason.AGENT)
    assert run_views.run_view(waiting, now=NOW + timedelta(hours=1)).waiting is not None


def test_an_ended_run_waits_for_nothing() -> None:
    ended = replace(RUN, status=RunStatus.CANCELLED, waiting_reason=WaitingReason.AGENT)
    assert run_views.run_view(ended, now=NOW).waiting is None


def test_a_failed_run_says_why_and_what_to_do() -> None:
    failed = replace(RUN, status=RunStatus.FAILED, error=ErrorInfo("quota", "used up", "Wait.", {"end": "quota"}))
    shown = run_views.run_view(failed).error
    assert shown is not None
    assert shown.model_dump() == {
        "code": "quota",
        "message": "used up",
        "remediation": "Wait.",
        "details": {"end": "quota"},
    }


def test_tasks_and_artifacts_that_were_not_asked_for_are_null() -> None:
    shown = run_views.run_view(RUN)
    assert (shown.tasks, shown.artifacts) == (None, None)


def test_a_stage_is_shown_once_with_its_latest_attempt_and_counts_the_earlier_ones() -> None:
    error = ErrorInfo("git_failed", "no answer", "Try again.")
    attempts = [
        an_attempt(Stage.SUBMIT),
        an_attempt(Stage.DISCOVER, 2, AttemptState.RETRYING),
        an_attempt(Stage.DISCOVER, 1, AttemptState.FAILED, error=error, finished_at=NOW),
    ]
    discover, submit = run_views.task_views(attempts, stages=bootstrap.STAGES)
    assert (discover.task_name, discover.state, discover.retry_count) == ("discover", "retrying", 1)
    assert discover.message == {"previousCode": "git_failed", "previousMessage": "no answer"}
    assert (submit.task_name, submit.state, submit.retry_count) == ("submit", "waiting", 0)


def test_every_attempt_is_shown_where_all_are_asked_for() -> None:
    error = ErrorInfo("git_failed", "no answer", "Try again.")
    attempts = [
        an_attempt(Stage.DISCOVER, 1, AttemptState.FAILED, error=error),
        an_attempt(Stage.DISCOVER, 2, AttemptState.STARTED, started_at=NOW),
    ]
    first, second = run_views.task_views(attempts, stages=bootstrap.STAGES, every=True)
    assert first.message == {"code": "git_failed", "message": "no answer", "remediation": "Try again."}
    assert (first.retry_count, second.retry_count) == (0, 1)
    assert second.started_at == NOW


def test_an_operators_retry_is_a_row_of_its_own_after_the_stages() -> None:
    attempts = [
        an_attempt(Stage.PUBLISH, 1, AttemptState.FAILED),
        an_attempt(Stage.PUBLISH, 2, AttemptState.STARTED, operator_retry=True),
        an_attempt(Stage.FINALIZE),
    ]
    files = [an_artifact("retry_context", "retry/1.json")]
    *stages, retry = run_views.task_views(attempts, files, stages=bootstrap.STAGES)
    assert [task.task_name for task in stages] == [TaskName.PUBLISH, TaskName.FINALIZE]
    assert (retry.task_name, retry.state, retry.message) == ("retry", "started", {"stage": "publish", "attempt": 2})
    assert retry.artifact_paths == ["retry/1.json"]


def test_a_message_shows_a_part_of_the_outputs_and_never_all() -> None:
    outputs: dict[Stage, dict[str, Any]] = {
        Stage.DISCOVER: {
            "phase": "Phase 2",
            "tasks": [{"id": "T004", "text": "long"}, {"id": "T005"}],
            "branchName": "moonmind/x",
            "documents": {"spec": "a long text"},
        },
        Stage.SUBMIT: {"codexTaskId": "thread-1", "report": "a long text", "wip": "abc"},
        Stage.APPLY: {
            "ticked": ["T004"],
            "verdicts": [{"id": "T004", "verdict": "changed"}, {"id": "T005", "verdict": "unproven"}],
        },
        Stage.FINALIZE: {
            "tasks": 2,
            "ticked": ["T004"],
            "unproven": ["T005"],
            "files": 1,
            "added": 3,
            "deleted": 0,
            "warnings": ["long"],
        },
        Stage.PUBLISH: {"branchName": "moonmind/x", "pullRequestUrl": "https://x/1", "body": "a long text"},
    }
    attempts = [an_attempt(stage, 1, AttemptState.SUCCEEDED, result=given) for stage, given in outputs.items()]
    assert [task.message for task in run_views.task_views(attempts, stages=bootstrap.STAGES)] == [
        {"phase": "Phase 2", "branchName": "moonmind/x", "tasks": ["T004", "T005"]},
        {"codexTaskId": "thread-1"},
        {"ticked": ["T004"], "verdicts": {"changed": 1, "open": 1}},
        {"branchName": "moonmind/x", "pullRequestUrl": "https://x/1"},
        {"tasks": 2, "ticked": ["T004"], "files": 1, "added": 3, "deleted": 0, "leftOpen": ["T005"]},
    ]


def test_artifacts_are_listed_under_the_task_that_left_them() -> None:
    files = [an_artifact("codex_logs", "codex/1.jsonl"), an_artifact("pr_payload", "pr.json"), an_artifact("new", "n")]
    tasks = run_views.task_views([an_attempt(stage) for stage in STAGES], files, stages=bootstrap.STAGES)
    assert {task.task_name.value: task.artifact_paths for task in tasks if task.artifact_paths} == {
        "submit": ["codex/1.jsonl"],
        "publish": ["pr.json"],
    }


def test_an_artifact_an_audit_and_an_event_keep_what_their_rows_say() -> None:
    artifact = run_views.artifact_view(an_artifact("codex_patch", "change.patch"))
    audit = run_views.audit_view(
        CredentialAudit(ID, "passed", "", NOW, "skipped", "local forge", None, {"codex": "0.163"})
    )
    event = run_views.event_view(Event(9, ID, 2, EventType.ATTEMPT_SUSPENDED, Stage.SUBMIT, {"reason": "agent"}, NOW))
    asked = run_views.event_view(Event(9, ID, 2, EventType.RUN_RETRIED, Stage.SUBMIT, {}, NOW, "ana"))
    assert (event.actor, asked.actor) == (None, "ana")
    assert (artifact.artifact_type, artifact.size_bytes, artifact.digest) == ("codex_patch", 3, "sha256:abc")
    assert (audit.codex_status, audit.codex_message, audit.github_message) == ("passed", None, "local forge")
    assert (event.id, event.seq, event.task_name, event.data) == (9, 2, "submit", {"reason": "agent"})


@pytest.mark.parametrize(
    ("field", "words", "shown"),
    [
        ("status", RunStatus, lambda run: run["status"]),
        ("stage", Stage, lambda run: run["currentTaskName"]),
        ("waiting_reason", WaitingReason, lambda run: run["waiting"]["reason"]),
    ],
)
def test_a_word_of_another_program_is_shown_as_it_is(
    field: str, words: type[StrEnum], shown: Callable[[dict[str, Any]], str]
) -> None:
    changed: dict[str, Any] = {field: read_word(words, "verify")}
    run = replace(RUN, **changed)
    view = run_views.run_view(run)
    assert shown(view.model_dump(mode="json", by_alias=True)) == "verify"
    assert SpecWorkflowRun.model_validate_json(view.model_dump_json(by_alias=True)) == view
    # Nobody here knows how far along a stage is that is not known here.
    assert (view.progress is None) == (field == "stage")


def test_a_stage_of_another_program_is_listed_behind_those_that_are_known() -> None:
    verify, later = (read_word(Stage, word) for word in ("verify", "watch"))
    attempts = [
        an_attempt(verify),
        an_attempt(Stage.FINALIZE),
        an_attempt(later),
        replace(an_attempt(verify), number=2),
    ]
    listed = run_views.task_views(attempts, stages=bootstrap.STAGES)
    assert [task.task_name.value for task in listed] == ["finalize", "verify", "watch"]
    assert [task.retry_count for task in listed] == [0, 1, 0]
    waits = replace(an_attempt(Stage.SUBMIT), state=read_word(AttemptState, "queued"))
    (task,) = run_views.task_views([waits], stages=bootstrap.STAGES)
    assert task.model_dump(mode="json", by_alias=True)["state"] == "queued"


def test_an_event_of_another_program_is_shown_as_it_is() -> None:
    event = Event(7, ID, 3, read_word(EventType, "attempt.verified"), read_word(Stage, "verify"), {}, NOW)
    shown = run_views.event_view(event).model_dump(mode="json", by_alias=True)
    assert (shown["type"], shown["taskName"]) == ("attempt.verified", "verify")
