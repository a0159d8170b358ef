"""Reads what a supervisor left and says what it means: pure, from a result file's body to a JobResult."""

import re
import signal
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moonmind.adapters.jobs.resets import reset_time, stated_time
from moonmind.ports.agent import JobEnd, JobResult, Usage

_MESSAGE_LIMIT = 4000

# In order: the first that matches names the class. Measured words of Codex, with the status it shows or hides.
_MEANINGS = (
    (
        JobEnd.QUOTA,
        re.compile(r"usage limit|quota exceeded|insufficient_quota|usage_limit_reached|out of credits", re.IGNORECASE),
    ),
    (
        JobEnd.CREDENTIAL,
        re.compile(
            r"status:? (401|403)\b|\b401 Unauthorized|\b403 Forbidden|missing environment variable|invalid_api_key|incorrect api key"
            r"|refresh token|not logged in|please (log|sign) in|token (has )?expired",
            re.IGNORECASE,
        ),
    ),
    (JobEnd.RATE_LIMITED, re.compile(r"status:? 429\b|rate limit|rate_limit|too many requests", re.IGNORECASE)),
    (
        JobEnd.UNAVAILABLE,
        re.compile(
            r"high demand|at capacity|overloaded|status:? 5\d\d\b|stream (closed|disconnected|error)|idle timeout waiting"
            r"|waiting for network|error sending request|connection (refused|reset|failed)|internal server error",
            re.IGNORECASE,
        ),
    ),
)
_CODES = {
    "quota": JobEnd.QUOTA,
    "credential": JobEnd.CREDENTIAL,
    "rate_limited": JobEnd.RATE_LIMITED,
    "unavailable": JobEnd.UNAVAILABLE,
}
_CUT_SHORT = {
    "call_limit": (JobEnd.CALL_LIMIT, "the run reached its limit of model calls"),
    "stalled": (JobEnd.STALLED, "the {job} was silent for longer than the stall limit"),
    "timed_out": (JobEnd.TIMED_OUT, "the {job} reached the total time limit"),
    "stopped": (JobEnd.STOPPED, "the {job} was stopped on request"),
    "output_limit": (JobEnd.FAILED, "the {job} wrote more output than the limit allows"),
    "space_limit": (JobEnd.FAILED, "the {job} was ended, since there is no room for more"),
    "process_limit": (JobEnd.FAILED, "the {job} was ended, since it had too many processes"),
    "disk_full": (JobEnd.FAILED, "the {job} was ended, since there is no room for more"),
    "log_failed": (JobEnd.FAILED, "the {job}'s log could not be written"),
}
TEST_COMMAND = "test command"
"""What a job that runs tests is called."""
SERVICE_EXIT = 96
"""Exit code of a job of which a service could not be started, and never comes to its own command."""
SERVICE_SIGN = "moonmind: `start` of the environment failed"
"""What it says then."""
_WALLS = {
    "not built": "the sandbox could not be built",
    "broken": "the sandbox ended while the {job} was at work",
    "killed": "the {job} was killed (SIGKILL); it may have used more than MOONMIND_SANDBOX_MEMORY, or than the host has",
}
_REFUSALS = {JobEnd.QUOTA: frozenset({402, 403, 429}), JobEnd.CREDENTIAL: frozenset({401, 403})}
"""The statuses by which the service itself says so."""


def read_result(body: Mapping[str, Any], job: str = "build") -> JobResult:
    """Classify how a job ended; `body` is a result.json of this version or the one before.

    `job` is what to call one that prints text. What a test command said last is in its log, and not in the message.
    """
    facts: Mapping[str, Any] = body.get("facts") or {}
    if body.get("plain"):
        output = str(facts.get("output") or "").strip()
        end, message = _classify_plain(body, output, job)
        if end is not JobEnd.COMPLETED and job != TEST_COMMAND:
            message = _with_output(message, output, map(str, body.get("in_vain") or ()))
        return JobResult(end=end, message=message, exit_code=body.get("exit_code"))
    end, message = _of_services(body) or _classify(body, facts)
    failure: Mapping[str, Any] = facts.get("failure") or {}
    return JobResult(
        end=end,
        message=message[:_MESSAGE_LIMIT],
        exit_code=body.get("exit_code"),
        thread_id=facts.get("thread_id"),
        report=facts.get("report") or "",
        usage=Usage(**{name: int(count) for name, count in (facts.get("usage") or {}).items()}),
        resets_at=_resets_at(failure, message, body) if end in (JobEnd.QUOTA, JobEnd.RATE_LIMITED) else None,
        confirmed=_is_confirmed(end, body.get("refusals")),
    )


def _is_confirmed(end: JobEnd, refusals: Collection[int] | None) -> bool:
    """Return False where only the agent's output says so: its commands can write that, and the key proxy saw no such answer."""
    return refusals is None or end not in _REFUSALS or not _REFUSALS[end].isdisjoint(refusals)


def _of_services(body: Mapping[str, Any]) -> tuple[JobEnd, str] | None:
    """Return how a job ended that never came to its command; None for every other one."""
    said = str(body.get("stderr") or "").strip()
    failed = body.get("end") == "exited" and body.get("exit_code") == SERVICE_EXIT and SERVICE_SIGN in said
    return (JobEnd.SERVICE, said) if failed else None


def _classify(body: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[JobEnd, str]:
    raw = body.get("end")
    if raw in _CUT_SHORT:
        end, words = _CUT_SHORT[raw]
        if end is JobEnd.CALL_LIMIT:  # its last words are only that it was refused
            return end, body.get("model_calls") or words
        words = _with_problem(words.format(job="agent"), body)
        return end, _sentence(words, facts.get("notice") or "")
    failure: Mapping[str, Any] = facts.get("failure") or {}
    if body.get("exit_code") == 0 and facts.get("completed"):
        return JobEnd.COMPLETED, ""
    if wall := body.get("wall"):
        words = _WALLS.get(wall, "the sandbox failed")
        return JobEnd.SANDBOX, _sentence(words.format(job="agent"), body.get("stderr") or "")
    number = body.get("signal")
    if number is not None:
        return JobEnd.FAILED, _sentence(f"the agent was killed by {_signal_name(number)}", body.get("stderr") or "")
    message = str(failure.get("message") or facts.get("notice") or body.get("stderr") or "").strip()
    if failure.get("code") in _CODES:
        return _CODES[failure["code"]], message
    for end, pattern in _MEANINGS:
        if pattern.search(message):
            return end, message
    if message:
        return JobEnd.FAILED, message
    return JobEnd.FAILED, f"the agent ended with exit code {body.get('exit_code')} without completing its turn"


def _classify_plain(body: Mapping[str, Any], output: str, job: str) -> tuple[JobEnd, str]:
    """Return how a command ended that prints text, by its exit code; what it prints is for people, and decides nothing.

    The words are empty where its output says it all.
    """
    raw, code, number = body.get("end"), body.get("exit_code"), body.get("signal")
    if raw in _CUT_SHORT:
        end, words = _CUT_SHORT[raw]
        return end, _with_problem(words.format(job=job), body)
    if wall := body.get("wall"):  # what built the wall may end with any exit code
        # A setup that is killed for what it uses is so again and again.
        end = JobEnd.FAILED if wall == "killed" else JobEnd.SANDBOX
        return end, _WALLS.get(wall, "the sandbox failed").format(job=job)
    if code == 0:
        return JobEnd.COMPLETED, ""
    if number is not None:
        return JobEnd.FAILED, f"the {job} was killed by {_signal_name(number)}"
    return JobEnd.FAILED, "" if output else f"the {job} ended with exit code {code} and printed nothing"


def _with_output(words: str, output: str, in_vain: Iterable[str]) -> str:
    """Return a build's end in words, as much of its last lines as there is room for, and what it asked the network for in vain."""
    added = "".join(f"\n{one}" for one in in_vain)[: _MESSAGE_LIMIT // 2]
    if output:
        words += "; it said last:\n" if words else ""
        words += output[len(words) + len(added) - _MESSAGE_LIMIT :]
    return words + added


def _resets_at(failure: Mapping[str, Any], message: str, body: Mapping[str, Any]) -> datetime | None:
    # Codex prints its host's local time; the supervisor ran on the same host.
    said_at = datetime.fromtimestamp(float(body.get("at") or 0), UTC).astimezone()
    stated = failure.get("resets_at")
    return stated_time(stated, said_at) if isinstance(stated, int | float) else reset_time(message, said_at)


def _sentence(words: str, more: str) -> str:
    more = more.strip()
    return f"{words}; its last message: {more}" if more else words


def _with_problem(words: str, body: Mapping[str, Any]) -> str:
    problem = body.get("problem")
    return f"{words}: {problem}" if problem else words


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
