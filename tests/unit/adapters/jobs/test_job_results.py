from datetime import UTC, datetime
from typing import Any

import pytest

from moonmind.adapters.jobs.job_results import TEST_COMMAND, read_result
from moonmind.ports.agent import JobEnd, JobResult, Usage


def body(**changes: Any) -> dict[str, Any]:
    facts = {"thread_id": "t1", "completed": False, "report": "", "usage": {}, "failure": {}, "notice": ""}
    facts |= changes.pop("facts", {})
    made = {
        "v": 1, "end": "exited", "exit_code": 1, "signal": None, "at": 1_772_000_000.0, "seconds": 3.0,
        "facts": facts, "stderr": "", "problem": "", "survivors": 0,
    }  # fmt: skip
    return made | changes


def failed(message: str) -> dict[str, Any]:
    return body(facts={"failure": {"message": message}})


def test_a_completed_turn_with_exit_code_zero_is_the_only_good_end() -> None:
    usage = {"input_tokens": 1, "cached_input_tokens": 2, "output_tokens": 3, "reasoning_output_tokens": 4}
    result = read_result(body(exit_code=0, facts={"completed": True, "report": "done", "usage": usage}))
    assert (result.end, result.message, result.report) == (JobEnd.COMPLETED, "", "done")
    assert result.usage == Usage(1, 2, 3, 4)
    assert read_result(body(exit_code=0)).end is JobEnd.FAILED
    assert read_result(body(exit_code=1, facts={"completed": True})).end is JobEnd.FAILED


@pytest.mark.parametrize(
    ("message", "end"),
    [
        ("unexpected status 401 Unauthorized: Incorrect API key provided", JobEnd.CREDENTIAL),
        ("exceeded retry limit, last status: 403 Forbidden", JobEnd.CREDENTIAL),
        ("Missing environment variable: `MOCK_KEY`.", JobEnd.CREDENTIAL),
        ("Your access token could not be refreshed because your refresh token was already used.", JobEnd.CREDENTIAL),
        ("Quota exceeded. Check your plan and billing details.", JobEnd.QUOTA),
        ("You've hit your usage limit. Upgrade to Pro or try again at 8:43 AM.", JobEnd.QUOTA),
        ("exceeded retry limit, last status: 429 Too Many Requests", JobEnd.RATE_LIMITED),
        ("Rate limit reached for gpt-5.5", JobEnd.RATE_LIMITED),
        ("We're currently experiencing high demand, which may cause temporary errors.", JobEnd.UNAVAILABLE),
        ("Selected model is at capacity. Please try a different model.", JobEnd.UNAVAILABLE),
        ("stream disconnected before completion: stream closed before response.completed", JobEnd.UNAVAILABLE),
        ("stream disconnected before completion: idle timeout waiting for SSE", JobEnd.UNAVAILABLE),
        ("unexpected status 503 Service Unavailable", JobEnd.UNAVAILABLE),
        ("exceeded retry limit, last status: 500 Internal Server Error", JobEnd.UNAVAILABLE),
        ("Codex ran out of room in the model's context window.", JobEnd.FAILED),
        ('{"error": {"message": "The requested model does not exist."}}', JobEnd.FAILED),
        ("unexpected status 404 Not Found", JobEnd.FAILED),
        ("I changed 401 lines.", JobEnd.FAILED),
    ],
)
def test_the_words_of_a_failure_name_its_class(message: str, end: JobEnd) -> None:
    result = read_result(failed(message))
    assert (result.end, result.message) == (end, message)


@pytest.mark.parametrize("code", ["quota", "credential", "rate_limited", "unavailable"])
def test_a_stated_code_needs_no_words(code: str) -> None:
    assert read_result(body(facts={"failure": {"message": "", "code": code}})).end is JobEnd(code)


@pytest.mark.parametrize(
    ("raw", "end"),
    [("stalled", JobEnd.STALLED), ("timed_out", JobEnd.TIMED_OUT), ("stopped", JobEnd.STOPPED),
     ("output_limit", JobEnd.FAILED), ("log_failed", JobEnd.FAILED)],
)  # fmt: skip
def test_what_the_supervisor_decided_is_said_with_the_agents_last_words(raw: str, end: JobEnd) -> None:
    result = read_result(body(end=raw, facts={"notice": "Reconnecting... waiting for network", "thread_id": "t9"}))
    assert result.end is end
    assert result.message.endswith("its last message: Reconnecting... waiting for network")
    assert result.thread_id == "t9"


def test_an_agent_that_never_spoke_is_explained_by_its_standard_error() -> None:
    result = read_result(body(stderr="Error loading config.toml: unknown key"))
    assert (result.end, result.message) == (JobEnd.FAILED, "Error loading config.toml: unknown key")
    assert "exit code 2" in read_result(body(exit_code=2)).message


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (50, "signal 50")])
def test_a_signal_is_named(number: int, name: str) -> None:
    assert name in read_result(body(exit_code=None, signal=number, stderr="Killed")).message


def test_a_reset_is_given_for_quota_and_rate_limits_only() -> None:
    stated = {"message": "used up", "code": "quota", "resets_at": 1_773_000_000}
    assert read_result(body(facts={"failure": stated})).resets_at == datetime.fromtimestamp(1_773_000_000, UTC)
    in_words = read_result(failed("usage limit; try again in 5 minutes"))
    assert in_words.resets_at == datetime.fromtimestamp(1_772_000_300, UTC)
    assert read_result(failed("The model does not exist; try again in 5 minutes")).resets_at is None


def test_a_result_of_the_version_before_or_with_less_in_it_is_read() -> None:
    assert read_result({"v": 0, "end": "stopped"}).end is JobEnd.STOPPED
    assert read_result({"v": 1}).end is JobEnd.FAILED


def test_long_words_are_cut() -> None:
    assert len(read_result(failed("x" * 100_000)).message) == 4000


@pytest.mark.parametrize("stamp", [1795000000000000, 253402300799, -1, float("nan"), float("inf"), True])
def test_a_reset_that_nobody_can_mean_is_left_out(stamp: float) -> None:
    stated = {"message": "usage limit; try again later", "code": "quota", "resets_at": stamp}
    result = read_result(body(facts={"failure": stated}))
    assert (result.end, result.resets_at) == (JobEnd.QUOTA, None)


@pytest.mark.parametrize(
    ("message", "end", "refusals", "confirmed"),
    [
        ("You've hit your usage limit.", JobEnd.QUOTA, [429], True),
        ("You've hit your usage limit.", JobEnd.QUOTA, [], False),
        ("You've hit your usage limit.", JobEnd.QUOTA, [500], False),
        ("You've hit your usage limit.", JobEnd.QUOTA, None, True),
        ("unexpected status 401 Unauthorized", JobEnd.CREDENTIAL, [401], True),
        ("unexpected status 401 Unauthorized", JobEnd.CREDENTIAL, [429], False),
        ("The model does not exist.", JobEnd.FAILED, [], True),
    ],
)
def test_what_the_service_was_not_heard_to_say_is_not_confirmed(
    message: str, end: JobEnd, refusals: list[int] | None, confirmed: bool
) -> None:
    read = read_result(
        {"end": "exited", "exit_code": 1, "facts": {"failure": {"message": message}}, "refusals": refusals}
    )
    assert (read.end, read.confirmed) == (end, confirmed)


def build(output: str = "", **changes: Any) -> dict[str, Any]:
    return {"v": 1, "plain": True, "end": "exited", "exit_code": 1, "facts": {"output": output}} | changes


@pytest.mark.parametrize("output", ["", "unexpected status 401 Unauthorized", "usage limit", "killed"])
def test_a_build_ends_well_with_exit_code_zero_and_never_by_its_words(output: str) -> None:
    assert read_result(build(output, exit_code=0)) == JobResult(JobEnd.COMPLETED, exit_code=0)
    failed = read_result(build(output, exit_code=3))
    assert (failed.end, failed.exit_code) == (JobEnd.FAILED, 3)
    assert failed.message == (output or "the build ended with exit code 3 and printed nothing")


@pytest.mark.parametrize(
    ("changes", "end", "words"),
    [
        ({"end": "stalled"}, JobEnd.STALLED, "the build was silent for longer than the stall limit"),
        ({"end": "timed_out"}, JobEnd.TIMED_OUT, "the build reached the total time limit"),
        ({"end": "stopped"}, JobEnd.STOPPED, "the build was stopped on request"),
        ({"end": "output_limit"}, JobEnd.FAILED, "the build wrote more output than the limit allows"),
        ({"end": "log_failed", "problem": "No space left"}, JobEnd.FAILED,
         "the build's log could not be written: No space left"),
        ({"wall": "not built"}, JobEnd.SANDBOX, "the sandbox could not be built"),
        ({"wall": "broken"}, JobEnd.SANDBOX, "the sandbox ended while the build was at work"),
        ({"wall": "killed", "exit_code": None, "signal": 9}, JobEnd.FAILED,
         "the build was killed (SIGKILL); it may have used more than MOONMIND_SANDBOX_MEMORY, or than the host has"),
        ({"exit_code": None, "signal": 11}, JobEnd.FAILED, "the build was killed by SIGSEGV"),
    ],
)  # fmt: skip
def test_a_build_that_was_cut_short_says_so_and_what_it_said_last(
    changes: dict[str, Any], end: JobEnd, words: str
) -> None:
    read = read_result(build("a line\nthe last {line}", **changes))
    assert (read.end, read.message) == (end, f"{words}; it said last:\na line\nthe last {{line}}")
    assert read_result(build(**changes)).message == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end": "timed_out"}, "the test command reached the total time limit"),
        ({"end": "output_limit"}, "the test command wrote more output than the limit allows"),
        ({"end": "process_limit", "problem": "more than 9"},
         "the test command was ended, since it had too many processes: more than 9"),
        ({"end": "disk_full", "problem": "9 left"}, "the test command was ended, since there is no room for more: 9 left"),
        ({"wall": "broken"}, "the sandbox ended while the test command was at work"),
        ({"exit_code": None, "signal": 11}, "the test command was killed by SIGSEGV"),
    ],
)  # fmt: skip
def test_of_a_test_command_nothing_is_said_in_its_own_words(changes: dict[str, Any], words: str) -> None:
    assert read_result(build("killed (SIGKILL)", **changes), TEST_COMMAND).message == words


@pytest.mark.parametrize(
    ("output", "changes", "begins"),
    [
        ("no such package", {}, "no such package\n"),
        ("x" * 3990 + "\nno such package", {}, "x"),
        ("", {}, "the build ended with exit code 1 and printed nothing\n"),
        (
            "no such package",
            {"end": "timed_out"},
            "the build reached the total time limit; it said last:\nno such package\n",
        ),
        ("", {"wall": "broken"}, "the sandbox ended while the build was at work\n"),
    ],
)
def test_a_build_that_failed_says_what_it_asked_for_in_vain(output: str, changes: dict[str, Any], begins: str) -> None:
    message = read_result(build(output, in_vain=["it asked for a.org", "and for b.org"], **changes)).message
    assert message.startswith(begins)
    assert message.endswith("\nit asked for a.org\nand for b.org")
    assert not output or "no such package\n" in message
    assert len(message) <= 4000
    assert read_result(build(output, in_vain=["it asked for a.org"], exit_code=0)).message == ""


def test_what_was_asked_for_in_vain_leaves_room_for_the_output() -> None:
    message = read_result(build("x" * 4000 + "y", in_vain=["h" * 5000])).message
    assert len(message) == 4000
    assert "xy\nhh" in message


def test_of_a_builds_output_the_end_counts() -> None:
    message = read_result(build("x" * 4000 + "y", end="timed_out")).message
    assert len(message) == 4000
    assert message.startswith("the build reached")
    assert message.endswith("xy")
