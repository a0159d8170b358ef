"""What each way in which an agent's job can end means for the run. Pure."""

from collections.abc import Mapping
from typing import Any

from moonmind.errors import (
    AgentError,
    AgentLost,
    AgentQuota,
    AgentStalled,
    AgentTimeout,
    AgentUnavailable,
    CredentialInvalid,
    MoonMindError,
)
from moonmind.ports.agent import JobEnd, JobResult
from moonmind.runs.machine import Failed, Outcome, Park, WaitingReason

_WORDS: Mapping[JobEnd, str] = {
    JobEnd.FAILED: "The agent failed",
    JobEnd.STALLED: "The agent said nothing for too long and was stopped",
    JobEnd.TIMED_OUT: "The agent reached its time limit and was stopped",
    JobEnd.STOPPED: "The agent was stopped before it was done",
    JobEnd.QUOTA: "The agent's quota is used up",
    JobEnd.RATE_LIMITED: "The model service limits the rate of requests",
    JobEnd.CREDENTIAL: "The model service refused the agent's credential",
    JobEnd.UNAVAILABLE: "The model service is overloaded or cannot be reached",
}

_ERRORS: Mapping[JobEnd, type[MoonMindError]] = {
    JobEnd.STALLED: AgentStalled,
    JobEnd.TIMED_OUT: AgentTimeout,
    JobEnd.QUOTA: AgentQuota,
    JobEnd.RATE_LIMITED: AgentUnavailable,
    JobEnd.CREDENTIAL: CredentialInvalid,
    JobEnd.UNAVAILABLE: AgentUnavailable,
}

_WAITS: Mapping[JobEnd, WaitingReason] = {
    JobEnd.QUOTA: WaitingReason.QUOTA,
    JobEnd.RATE_LIMITED: WaitingReason.RATE_LIMIT,
}


def bad_end(result: JobResult, kept: Mapping[str, Any], spent: int) -> Outcome:
    """Turn a job that ended without completing into an outcome.

    A limit with a known end parks: the job is over, so the attempt goes on later with job number `spent + 1`.
    """
    message = sentence(result)
    reason = _WAITS.get(result.end)
    if reason is not None and result.resets_at is not None:
        return Park(reason, until=result.resets_at, kept={**kept, "spentJobs": spent + 1, "ended": message})
    kind = _ERRORS.get(result.end, AgentError)
    details: dict[str, Any] = {"end": result.end.value, "exitCode": result.exit_code}
    if kind is CredentialInvalid:
        details["check"] = "codex.login"
    error = kind(message, **{name: value for name, value in details.items() if value is not None})
    return Failed(error.info(), transient=error.retryable, kept={**kept, "ended": message})


def lost(kept: Mapping[str, Any]) -> Failed:
    """Say that a job's supervisor is gone without a result; the next attempt goes on with its thread."""
    error = AgentLost("The agent's supervisor is gone and left no result (was the machine restarted?).")
    return Failed(error.info(), transient=True, kept={**kept, "ended": error.message})


def sentence(result: JobResult) -> str:
    """Say how a job ended, with the agent's or the service's own words."""
    words = result.message.strip()
    return f"{_WORDS.get(result.end, 'The agent ended')}{': ' + words if words else '.'}"
