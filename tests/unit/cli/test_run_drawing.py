import re
from datetime import timedelta
from typing import Any

import pytest

from moonmind.cli.durations import clock
from moonmind.cli.run_drawing import began, chain, heading, note, set_up_text, state_of, verdict
from moonmind.ports.check import CheckStatus
from moonmind.runs.machine import WAITS_FOR_JOB, AttemptState, RunStatus, WaitingReason
from moonmind.wire import SpecWorkflowRun, TaskName, Usage, Waiting, WorkflowCredentialAudit, WorkflowTaskState
from tests.support.terminal import NOW, a_run


def task(name: TaskName, state: AttemptState, **message: Any) -> WorkflowTaskState:
    return WorkflowTaskState(task_name=name, state=state, message=message)


def test_stages_that_an_ended_run_never_came_to_are_skipped() -> None:
    run = a_run(1, status=RunStatus.NO_WORK)
    assert [state_of(each, run) for each in chain(run)] == ["succeeded", "skipped", "skipped", "skipped", "skipped"]


def test_a_stage_that_was_stopped_at_work_counts_as_failed() -> None:
    run = a_run(0, status=RunStatus.CANCELLED)
    assert state_of(task(TaskName.SUBMIT, AttemptState.STARTED), run) == "failed"


def test_rows_of_operators_retries_are_no_stage() -> None:
    run = a_run(5)
    more = run.model_copy(update={"tasks": [*(run.tasks or []), task(TaskName.RETRY, AttemptState.SUCCEEDED)]})
    assert len(chain(more)) == 5


@pytest.mark.parametrize("reason", WaitingReason)
def test_every_wait_is_said_in_words(reason: WaitingReason) -> None:
    until = NOW + timedelta(minutes=3)
    run = a_run(1, current_task_name=TaskName.SUBMIT, waiting=Waiting(reason=reason, until=until))
    said = note(task(TaskName.SUBMIT, AttemptState.STARTED), run)
    assert said
    assert reason in WAITS_FOR_JOB or clock(until) in said


def test_a_run_that_is_being_cancelled_says_so() -> None:
    run = a_run(1, current_task_name=TaskName.SUBMIT, cancel_requested_at=NOW)
    assert note(task(TaskName.SUBMIT, AttemptState.STARTED), run) == "is being cancelled"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (task(TaskName.DISCOVER, AttemptState.SUCCEEDED, tasks=["T001", "T002"]), "T001, T002"),
        (
            task(TaskName.DISCOVER, AttemptState.SUCCEEDED, tasks=["T001"], behindBase="b is 2 commits behind main."),
            "T001; b is 2 commits behind main.",
        ),
        (task(TaskName.SUBMIT, AttemptState.SUCCEEDED), "9,120 tokens in, 1,040 out"),
        (
            task(TaskName.APPLY, AttemptState.SUCCEEDED, ticked=["T001"], verdicts={"changed": 2, "claimed": 1}),
            "2 changed, 1 claimed",
        ),
        (task(TaskName.APPLY, AttemptState.SUCCEEDED, verdicts={"open": 3}), "no box ticked: 3 open"),
        (
            task(
                TaskName.APPLY,
                AttemptState.SUCCEEDED,
                ticked=["T001"],
                verdicts={"tested": 3},
                tests={"outcomes": {"passed": 1}, "passed": 14, "failed": 0},
            ),
            "3 tested; tests: 14 passed",
        ),
        (task(TaskName.PUBLISH, AttemptState.SUCCEEDED), "moonmind/042-x"),
        (task(TaskName.PUBLISH, AttemptState.SUCCEEDED, draft=True), "moonmind/042-x (draft)"),
        (task(TaskName.PUBLISH, AttemptState.FAILED, message="refused\x1b[2J", code="x"), "refused"),
        (task(TaskName.SUBMIT, AttemptState.RETRYING, previousMessage="no answer"), "no answer"),
        (task(TaskName.SUBMIT, AttemptState.STARTED, codexTaskId="x"), ""),
    ],
)
def test_each_stage_says_what_came_of_it(shown: WorkflowTaskState, said: str) -> None:
    run: SpecWorkflowRun = a_run(
        5, branch_name="moonmind/042-x", usage=Usage(input_tokens=9120, output_tokens=1040), phase="Phase 1"
    )
    assert note(shown, run) == said


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        ({"tasks": 3, "ticked": []}, "succeeded; 0 of 3 tasks ticked"),
        ({"tasks": 3, "ticked": ["T001"]}, "succeeded"),
        ({}, "succeeded"),
    ],
)
def test_a_run_that_succeeded_without_a_tick_says_so_in_its_first_words(totals: dict[str, Any], said: str) -> None:
    run = a_run(5).model_copy(
        update={"status": RunStatus.SUCCEEDED, "tasks": [task(TaskName.FINALIZE, AttemptState.SUCCEEDED, **totals)]}
    )
    first = verdict(run)[0].plain
    assert re.sub(r" after [^;]*", "", first) == said


def test_a_runs_length_counts_from_its_first_claim_and_a_retried_runs_from_its_retry() -> None:
    run = a_run(5, created_at=NOW - timedelta(hours=9))
    assert began(run) == NOW
    retried = WorkflowTaskState(
        task_name=TaskName.RETRY, state=AttemptState.SUCCEEDED, started_at=NOW + timedelta(hours=2)
    )
    assert began(run.model_copy(update={"tasks": [*(run.tasks or []), retried]})) == NOW + timedelta(hours=2)
    assert began(a_run()) is None


def test_a_scripted_run_is_called_so_from_the_moment_that_it_is_known() -> None:
    told = [{"agent": "scripted"}, {"agent": "codex"}, {}]
    for message, scripted in zip(told, (True, False, False), strict=True):
        run = a_run(1)
        submit = task(TaskName.SUBMIT, AttemptState.STARTED, **message)
        run = run.model_copy(update={"tasks": [chain(run)[0], submit, *chain(run)[2:]]})
        assert ("scripted" in heading(run).plain) is scripted


@pytest.mark.parametrize(
    ("snapshot", "scripted"), [({"agent": "scripted"}, True), ({"version": "0.1"}, False), ({}, False)]
)
def test_a_scripted_run_that_failed_is_called_so_by_its_audit(snapshot: dict[str, str], scripted: bool) -> None:
    audit = WorkflowCredentialAudit(
        codex_status=CheckStatus.SKIPPED, github_status=CheckStatus.SKIPPED, environment_snapshot=snapshot
    )
    run = a_run(1, status=RunStatus.FAILED, credential_audit=audit)
    assert ("scripted" in heading(run).plain) is scripted
    used = run.model_copy(update={"usage": Usage(input_tokens=1, output_tokens=2)})
    said = note(task(TaskName.SUBMIT, AttemptState.SUCCEEDED), used)
    assert said.startswith("scripted: ") is scripted


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        (None, ""),
        ([], ""),
        ([{"root": ".", "setup": ["uv sync", "x"], "problem": ""}], "after uv sync"),
        (
            [{"root": ".", "setup": ["a"], "problem": ""}, {"root": "web", "setup": ["npm\x1b[31m ci"], "problem": ""}],
            "after a, npm ci",
        ),
        ([{"root": ".", "setup": ["a"], "problem": "no"}], "(a setup failed)"),
        (
            [{"root": ".", "setup": ["a"], "problem": ""}, {"root": "b", "setup": ["b"], "problem": "n"}],
            "after a (a setup failed)",
        ),
        ([{"root": ".", "setup": [], "problem": ""}], ""),
        ("of a newer server", ""),
    ],
)
def test_what_was_set_up_is_described(environments: object, said: str) -> None:
    assert set_up_text(environments) == said
