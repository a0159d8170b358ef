"""From rows to the public JSON: the only place that knows both. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Any

from moonmind import wire
from moonmind.engine.stage import Stages
from moonmind.ports.check import CheckStatus
from moonmind.runs import facts, naming
from moonmind.runs.attention import Attention
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import WAITS_FOR_JOB, AttemptState, RunStatus, WaitingReason
from moonmind.runs.records import Artifact, Attempt, CredentialAudit, Event, Run
from moonmind.runs.words import UnknownWord, read_word
from moonmind.wire import TaskName

_TASK_OF_ARTIFACT: Mapping[str, TaskName] = MappingProxyType(
    {
        "codex_logs": TaskName.SUBMIT,
        "prompt": TaskName.SUBMIT,
        "codex_patch": TaskName.APPLY,
        "work_archive": TaskName.SUBMIT,
        "apply_output": TaskName.APPLY,
        "pr_payload": TaskName.PUBLISH,
        "run_summary": TaskName.FINALIZE,
        "retry_context": TaskName.RETRY,
    }
)
"""Which task an artifact is listed under, by its type."""

_NOWHERE = frozenset({RunStatus.SUCCEEDED, RunStatus.NO_WORK})
"""Statuses in which no task is the current one."""


def run_view(
    run: Run,
    attempts: Sequence[Attempt] | None = None,
    artifacts: Sequence[Artifact] | None = None,
    audit: CredentialAudit | None = None,
    *,
    stages: Stages = MappingProxyType({}),
    now: datetime | None = None,
) -> wire.SpecWorkflowRun:
    """Show a run; attempts or artifacts of None were not asked for and stay null. Attempts are shown with `stages`.

    With `now`, a wait that is over is no longer shown: the run is due and will be claimed.
    """
    tokens, (calls, capped) = facts.tokens_of(run.usage), facts.model_calls(run.usage)
    return wire.SpecWorkflowRun(
        id=run.id,
        repository=run.repository,
        status=run.status,
        created_at=run.created_at,
        feature_key=_feature_key(run),
        branch_name=run.branch,
        pull_request_url=run.pull_request_url,
        current_task_name=None if run.status in _NOWHERE else _task_name(run.stage),
        celery_chain_id=run.chain_id,
        codex_task_id=run.codex_task_id,
        codex_logs_path=run.codex_logs_path,
        updated_at=run.updated_at,
        completed_at=run.completed_at,
        phase=run.phase,
        progress=_progress(run),
        waiting=_waiting(run, now),
        attention=attention_view(run, now),
        usage=None if tokens is None else wire.Usage.model_validate(tokens),
        model_calls=calls,
        model_calls_capped=capped,
        reason=run.reason,
        error=None if run.error is None else wire.RunError.of(run.error),
        cancel_requested_at=run.cancel_requested_at,
        notes=run.notes,
        started_by=run.started_by,
        kind=run.kind,
        select=None if run.selection is None else wire.Selected.model_validate(run.selection),
        artifacts=None if artifacts is None else [artifact_view(artifact) for artifact in artifacts],
        tasks=None if attempts is None else task_views(attempts, artifacts or (), stages=stages),
        credential_audit=None if audit is None else audit_view(audit),
    )


def task_views(
    attempts: Iterable[Attempt], artifacts: Sequence[Artifact] = (), *, stages: Stages, every: bool = False
) -> list[wire.WorkflowTaskState]:
    """Show one task per stage in chain order (its latest attempt), then one row per operator's retry."""
    ordered = sorted(attempts, key=lambda attempt: (attempt.stage.position, attempt.stage, attempt.number))
    shown: list[wire.WorkflowTaskState] = []
    for stage, group in groupby(ordered, key=lambda attempt: attempt.stage):
        tries = list(group)
        name = _task_name(stage)
        for index, attempt in enumerate(tries):
            latest = index == len(tries) - 1
            if latest or every:
                before = tries[index - 1] if index else None
                paths = _paths(artifacts, name) if latest else []
                shown.append(_task(name, attempt, paths, _message(attempt, before, stages), index))
    retries = sorted((attempt for attempt in ordered if attempt.operator_retry), key=lambda attempt: attempt.id)
    for retry in retries:
        message = {"stage": retry.stage.value, "attempt": retry.number}
        paths = _paths(artifacts, TaskName.RETRY) if retry is retries[-1] else []
        shown.append(_task(TaskName.RETRY, retry, paths, message, 0))
    return shown


def artifact_view(artifact: Artifact) -> wire.WorkflowArtifact:
    """Show a file that a run left."""
    return wire.WorkflowArtifact(
        artifact_type=artifact.type,
        path=artifact.path,
        content_type=artifact.content_type,
        size_bytes=artifact.size,
        digest=artifact.digest,
        created_at=artifact.created_at,
    )


def audit_view(audit: CredentialAudit) -> wire.WorkflowCredentialAudit:
    """Show what was found of the credentials."""
    return wire.WorkflowCredentialAudit(
        codex_status=read_word(CheckStatus, audit.codex_status),
        codex_checked_at=audit.codex_checked_at,
        codex_message=audit.codex_message or None,
        github_status=read_word(CheckStatus, audit.github_status),
        github_checked_at=audit.github_checked_at,
        github_message=audit.github_message or None,
        environment_snapshot=dict(audit.snapshot),
    )


def event_view(event: Event) -> wire.RunEvent:
    """Show a transition."""
    return wire.RunEvent(
        id=event.id,
        seq=event.seq,
        run_id=event.run_id,
        type=event.type,
        task_name=None if event.stage is None else _task_name(event.stage),
        data=dict(event.data),
        created_at=event.created_at,
        actor=event.actor,
    )


def _feature_key(run: Run) -> str | None:
    if not run.feature_key:
        return run.requested_key or None
    # A branch named by the path: the folder's name was that of another feature too.
    if run.branch and naming.is_named_by_path(run.branch, run.feature_key):
        return run.feature_key
    # A run without a branch found no work; asked for by where it is, it is shown by that.
    if not run.branch and "/" in run.requested_key and not run.feature_key.startswith("specs/"):
        return run.feature_key
    return run.feature_key.rstrip("/").rsplit("/", 1)[-1]


def _task_name(stage: Stage) -> TaskName:
    return read_word(TaskName, stage.value)


def _progress(run: Run) -> wire.Progress | None:
    if isinstance(run.stage, UnknownWord):
        return None  # nobody here knows where in its chain that is
    done = len(STAGES) if run.status is RunStatus.SUCCEEDED else run.stage.position
    return wire.Progress(done=done, total=len(STAGES))


def _waiting(run: Run, now: datetime | None) -> wire.Waiting | None:
    if run.waiting_reason is None or run.status.terminal:
        return None
    # An agent goes on working past the re-look; every other wait is over when its time has come.
    if now is not None and run.waiting_reason not in WAITS_FOR_JOB and run.not_before <= now:
        return None
    return wire.Waiting(reason=run.waiting_reason, until=run.not_before)


def attention_view(run: Run, now: datetime | None) -> wire.Attention | None:
    """Show what a run asks; None where no answer is awaited (any more)."""
    waiting, asked = _waiting(run, now), Attention.read(run.attention)
    if waiting is None or waiting.reason is not WaitingReason.NEEDS_ATTENTION:
        return None
    if asked is None or run.cancel_requested_at is not None:
        return None
    options = [wire.AttentionOption(value=one.value, text=one.text) for one in asked.options]
    return wire.Attention(
        question=question_of(run), kind=asked.kind, text=asked.text, options=options, until=waiting.until
    )


def question_of(run: Run) -> int:
    """Return what names the question that a run asks: the fence, since a run asks under a claim of its own each time."""
    return run.fence


def _task(
    name: TaskName, attempt: Attempt, paths: list[str], message: dict[str, Any], earlier: int
) -> wire.WorkflowTaskState:
    return wire.WorkflowTaskState(
        task_name=name,
        state=attempt.state,
        message=message,
        artifact_paths=paths,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        retry_count=earlier,
    )


def _paths(artifacts: Sequence[Artifact], name: TaskName) -> list[str]:
    return [artifact.path for artifact in artifacts if _TASK_OF_ARTIFACT.get(artifact.type) is name]


def _message(attempt: Attempt, before: Attempt | None, stages: Stages) -> dict[str, Any]:
    """Report what an attempt came to: its error, why it is tried again, or a small part of its outputs."""
    if attempt.error is not None:
        error = attempt.error
        return {"code": error.code, "message": error.message, "remediation": error.remediation}
    if attempt.state is AttemptState.RETRYING and before is not None and before.error is not None:
        return {"previousCode": before.error.code, "previousMessage": before.error.message}
    known = stages.get(attempt.stage)
    return known.summary(attempt.result or attempt.checkpoint or {}) if known is not None else {}
