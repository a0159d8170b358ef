"""What each way in which an agent's job can end means for the run. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from moonmind.errors import (
    AgentError,
    AgentLost,
    AgentQuota,
    AgentStalled,
    AgentTimeout,
    AgentUnavailable,
    CredentialInvalid,
    EnvironmentFailed,
    ModelCallLimit,
    MoonMindError,
    SandboxUnavailable,
)
from moonmind.ports.agent import JobEnd, JobResult
from moonmind.runs.machine import Failed, Outcome, Suspend, WaitingReason
from moonmind.stages.kit.stage_results import SubmitCheckpoint

_WORDS: Mapping[JobEnd, str] = {
    JobEnd.FAILED: "The agent failed",
    JobEnd.STALLED: "The agent said nothing for too long and was stopped",
    JobEnd.TIMED_OUT: "The agent reached its time limit and was stopped",
    JobEnd.STOPPED: "The agent was stopped before it was done",
    JobEnd.CALL_LIMIT: "The run reached its limit of model calls, and its agent was stopped",
    JobEnd.QUOTA: "The agent's quota is used up",
    JobEnd.RATE_LIMITED: "The model service limits the rate of requests",
    JobEnd.CREDENTIAL: "The model service refused the agent's credential",
    JobEnd.UNAVAILABLE: "The model service is overloaded or cannot be reached",
    JobEnd.SANDBOX: "The agent's sandbox failed",
    JobEnd.SERVICE: "What the environment starts did not start, so no agent was started",
}

_ERRORS: Mapping[JobEnd, type[MoonMindError]] = {
    JobEnd.STALLED: AgentStalled,
    JobEnd.TIMED_OUT: AgentTimeout,
    JobEnd.CALL_LIMIT: ModelCallLimit,
    JobEnd.QUOTA: AgentQuota,
    JobEnd.CREDENTIAL: CredentialInvalid,
    JobEnd.UNAVAILABLE: AgentUnavailable,
    JobEnd.SANDBOX: SandboxUnavailable,
    JobEnd.SERVICE: EnvironmentFailed,
}

_WAITS: Mapping[JobEnd, WaitingReason] = {
    JobEnd.QUOTA: WaitingReason.QUOTA,
    JobEnd.RATE_LIMITED: WaitingReason.RATE_LIMIT,
}


SHORTEST_WAIT_SECONDS = 60.0
LONGEST_GUESS_SECONDS = 900.0
MOST_LIMITS = 20
"""How often one attempt waits for a limit's end; a limit that never ends is then told to a person."""


def bad_end(result: JobResult, kept: SubmitCheckpoint, spent: int, now: datetime) -> Outcome:
    """Turn a job that ended without completing into an outcome; `now` only tells a reset from one that has passed.

    A limit that ends suspends: the job is over, so the attempt goes on later with job number `spent + 1`.
    """
    message = sentence(result)
    reason = _WAITS.get(result.end)
    kind = _ERRORS.get(result.end, AgentError)
    # A rate limit always ends; a quota whose reset nobody states may need a person.
    if reason is not None and (result.resets_at is not None or result.end is JobEnd.RATE_LIMITED):
        if spent < MOST_LIMITS:
            kept = kept.model_copy(update={"spent_jobs": spent + 1, "ended": message})
            return _wait(reason, result.resets_at, kept.stored(), spent, now)
        kind = AgentQuota
        message = f"{message} It did so {spent + 1} times in a row, each time after waiting for the limit to end."
    details: dict[str, Any] = {"end": result.end.value, "exitCode": result.exit_code}
    if kind is CredentialInvalid:
        details["check"] = "codex.login"
    error = kind(message, **{name: value for name, value in details.items() if value is not None})
    return Failed(error.info(), error.retryable, kept.model_copy(update={"ended": message}).stored(), error.outage)


def _wait(
    reason: WaitingReason, resets_at: datetime | None, kept: Mapping[str, Any], spent: int, now: datetime
) -> Suspend:
    if resets_at is None:
        return Suspend(reason, seconds=min(SHORTEST_WAIT_SECONDS * 2.0**spent, LONGEST_GUESS_SECONDS), checkpoint=kept)
    if resets_at < now + timedelta(seconds=SHORTEST_WAIT_SECONDS):
        return Suspend(reason, seconds=SHORTEST_WAIT_SECONDS, checkpoint=kept)
    return Suspend(reason, until=resets_at, checkpoint=kept)


def lost(kept: SubmitCheckpoint) -> Failed:
    """Return the outcome of a job whose supervisor left no result; the next attempt goes on with its thread."""
    error = AgentLost("The agent's supervisor is gone and left no result (was the machine restarted?).")
    return Failed(error.info(), transient=True, checkpoint=kept.model_copy(update={"ended": error.message}).stored())


def sentence(result: JobResult) -> str:
    """Return how a job ended, with the agent's or the service's own words."""
    words = result.message.strip()
    return f"{_WORDS.get(result.end, 'The agent ended')}{': ' + words if words else '.'}"
