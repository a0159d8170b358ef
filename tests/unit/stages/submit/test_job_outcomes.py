from datetime import UTC, datetime, timedelta

import pytest

from moonmind.ports.agent import JobEnd, JobResult
from moonmind.runs.machine import Failed, Suspend, WaitingReason
from moonmind.stages.kit.stage_results import SubmitCheckpoint
from moonmind.stages.submit.job_outcomes import MOST_LIMITS, bad_end, lost
from tests.support.stage_parts import checkpoint_of

KEPT = SubmitCheckpoint(codex_task_id="thread")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
LIMITS = [(JobEnd.QUOTA, WaitingReason.QUOTA), (JobEnd.RATE_LIMITED, WaitingReason.RATE_LIMIT)]


@pytest.mark.parametrize(
    ("end", "code", "transient"),
    [
        (JobEnd.FAILED, "agent_failed", False),
        (JobEnd.STALLED, "agent_stalled", False),
        (JobEnd.TIMED_OUT, "agent_timeout", False),
        (JobEnd.STOPPED, "agent_failed", False),
        (JobEnd.QUOTA, "quota", False),
        (JobEnd.CREDENTIAL, "credential_invalid", False),
        (JobEnd.UNAVAILABLE, "agent_unavailable", True),
    ],
)
def test_every_bad_end_has_its_error_and_keeps_the_thread(end: JobEnd, code: str, transient: bool) -> None:
    outcome = bad_end(JobResult(end, "its own words"), KEPT, 0, NOW)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.transient) == (code, transient)
    assert "its own words" in outcome.error.message
    assert outcome.error.remediation
    assert checkpoint_of(outcome)["codexTaskId"] == "thread"
    assert "its own words" in checkpoint_of(outcome)["ended"]
    # A service that is away is waited for longer than a mishap would be.
    assert outcome.outage == (end is JobEnd.UNAVAILABLE)


@pytest.mark.parametrize(("end", "reason"), LIMITS)
def test_a_limit_with_a_known_end_waits_and_asks_for_a_fresh_job(end: JobEnd, reason: WaitingReason) -> None:
    outcome = bad_end(JobResult(end, resets_at=SOON), KEPT, 2, NOW)
    assert isinstance(outcome, Suspend)
    assert (outcome.reason, outcome.until) == (reason, SOON)
    assert checkpoint_of(outcome)["spentJobs"] == 3
    assert checkpoint_of(outcome)["codexTaskId"] == "thread"


@pytest.mark.parametrize(("end", "reason"), LIMITS)
@pytest.mark.parametrize("ahead", [timedelta(days=-1), timedelta(), timedelta(seconds=59)])
def test_a_reset_that_has_passed_or_is_near_is_waited_for_a_minute(
    end: JobEnd, reason: WaitingReason, ahead: timedelta
) -> None:
    outcome = bad_end(JobResult(end, resets_at=NOW + ahead), KEPT, 0, NOW)
    assert isinstance(outcome, Suspend)
    assert (outcome.reason, outcome.until, outcome.seconds) == (reason, None, 60.0)
    assert checkpoint_of(outcome)["spentJobs"] == 1


@pytest.mark.parametrize(
    ("end", "reset"), [(JobEnd.QUOTA, SOON), (JobEnd.RATE_LIMITED, SOON), (JobEnd.RATE_LIMITED, None)]
)
def test_a_limit_that_never_ends_is_told_in_the_end(end: JobEnd, reset: datetime | None) -> None:
    assert isinstance(bad_end(JobResult(end, resets_at=reset), KEPT, MOST_LIMITS - 1, NOW), Suspend)
    outcome = bad_end(JobResult(end, "no more", resets_at=reset), KEPT, MOST_LIMITS, NOW)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.transient) == ("quota", False)
    assert "no more" in outcome.error.message
    assert "21 times" in outcome.error.message
    assert checkpoint_of(outcome)["codexTaskId"] == "thread"


def test_a_rate_limit_without_a_stated_end_costs_no_attempt_and_waits_longer_each_time() -> None:
    waits = []
    for spent in range(6):
        outcome = bad_end(JobResult(JobEnd.RATE_LIMITED, "slow down"), KEPT, spent, NOW)
        assert isinstance(outcome, Suspend)
        assert (outcome.reason, outcome.until) == (WaitingReason.RATE_LIMIT, None)
        assert checkpoint_of(outcome)["spentJobs"] == spent + 1
        waits.append(outcome.seconds)
    assert waits == [60, 120, 240, 480, 900, 900]


def test_the_limit_of_model_calls_is_for_a_person_and_keeps_the_thread() -> None:
    outcome = bad_end(JobResult(JobEnd.CALL_LIMIT, "400 calls were made, 400 are allowed"), KEPT, 0, NOW)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.transient) == ("model_call_limit", False)
    assert "400 calls were made" in outcome.error.message
    assert "MOONMIND_MAX_MODEL_CALLS" in outcome.error.remediation
    assert checkpoint_of(outcome)["codexTaskId"] == "thread"


def test_a_refused_login_names_the_check() -> None:
    outcome = bad_end(JobResult(JobEnd.CREDENTIAL), KEPT, 0, NOW)
    assert isinstance(outcome, Failed)
    assert outcome.error.details["check"] == "codex.login"


def test_a_lost_job_is_tried_again_with_its_thread() -> None:
    outcome = lost(KEPT)
    assert (outcome.error.code, outcome.transient, checkpoint_of(outcome)["codexTaskId"]) == (
        "agent_lost",
        True,
        "thread",
    )
