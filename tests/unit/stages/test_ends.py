from datetime import UTC, datetime

import pytest

from moonmind.ports.agent import JobEnd, JobResult
from moonmind.runs.machine import Failed, Park, WaitingReason
from moonmind.stages.ends import bad_end, lost

KEPT = {"codexTaskId": "thread"}
SOON = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "code", "transient"),
    [
        (JobEnd.FAILED, "agent_failed", False),
        (JobEnd.STALLED, "agent_stalled", False),
        (JobEnd.TIMED_OUT, "agent_timeout", False),
        (JobEnd.STOPPED, "agent_failed", False),
        (JobEnd.QUOTA, "quota", False),
        (JobEnd.RATE_LIMITED, "agent_unavailable", True),
        (JobEnd.CREDENTIAL, "credential_invalid", False),
        (JobEnd.UNAVAILABLE, "agent_unavailable", True),
    ],
)
def test_every_bad_end_has_its_error_and_keeps_the_thread(end: JobEnd, code: str, transient: bool) -> None:
    outcome = bad_end(JobResult(end, "its own words"), KEPT, 0)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.transient) == (code, transient)
    assert "its own words" in outcome.error.message
    assert outcome.error.remediation
    assert outcome.kept["codexTaskId"] == "thread"
    assert "its own words" in outcome.kept["ended"]


@pytest.mark.parametrize(
    ("end", "reason"), [(JobEnd.QUOTA, WaitingReason.QUOTA), (JobEnd.RATE_LIMITED, WaitingReason.RATE_LIMIT)]
)
def test_a_limit_with_a_known_end_waits_and_asks_for_a_fresh_job(end: JobEnd, reason: WaitingReason) -> None:
    outcome = bad_end(JobResult(end, resets_at=SOON), KEPT, 2)
    assert isinstance(outcome, Park)
    assert (outcome.reason, outcome.until) == (reason, SOON)
    assert outcome.kept["spentJobs"] == 3
    assert outcome.kept["codexTaskId"] == "thread"


def test_a_refused_login_names_the_check() -> None:
    outcome = bad_end(JobResult(JobEnd.CREDENTIAL), KEPT, 0)
    assert isinstance(outcome, Failed)
    assert outcome.error.details["check"] == "codex.login"


def test_a_lost_job_is_tried_again_with_its_thread() -> None:
    outcome = lost(KEPT)
    assert (outcome.error.code, outcome.transient, outcome.kept["codexTaskId"]) == ("agent_lost", True, "thread")
