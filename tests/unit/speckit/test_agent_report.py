import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.agent_report import LONGEST_LINE, MOST_DECISIONS, MOST_REMARKS, read_report, reason_in


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (": not done - there is no staging server here; needs STAGING_URL", "there is no staging server here; needs STAGING_URL"),
        (" - skipped because the SDK is missing", "the SDK is missing"),
        ("** — blocked: no licence for `x`", "no licence for `x`"),
        (": ✅ done (checked by hand)", "(checked by hand)"),
        (": could not start the emulator", "could not start the emulator"),
        (": not done", ""),
        (": done", ""),
        (": doneness is defined in a.py", "doneness is defined in a.py"),
    ],
)  # fmt: skip
def test_a_reason_is_what_follows_the_word_for_the_state(words: str, reason: str) -> None:
    assert reason_in(words) == reason


@pytest.mark.parametrize(
    ("report", "decisions"),
    [
        ("Decision: zlib, since lzma is missing", ("zlib, since lzma is missing",)),
        ("- **Decision:** keep Python 3.11\n* Assumption: UTC", ("keep Python 3.11", "UTC")),
        ("## Decisions\n\n- one\n- two\n\n## Notes\n\nthree", ("one", "two")),
        ("Decisions:\n1. one\n2) two\nT001: done - x", ("one", "two")),
        ("I decided to use zlib.\nWe've chosen UTC.", ("I decided to use zlib.", "We've chosen UTC.")),
        ("All done.", ()),
    ],
)
def test_decisions_are_found_however_they_are_written(report: str, decisions: tuple[str, ...]) -> None:
    assert read_report(report).decisions == decisions


def test_what_is_about_no_task_and_no_decision_is_a_remark() -> None:
    read = read_report("# Summary\n\nThe parser is slow.\n```\ncode\n```\nT001: done - x\n- **T002**: not done - y\n")
    assert read.remarks == ("The parser is slow.", "code")
    assert read.reasons == {"T001": "x", "T002": "y"}


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ("T001: not done - no server\nT001: not done", "no server"),
        ("T001: not done - no server\nT001: done - found one", "found one"),
        ("T001: not done", ""),
    ],
)
def test_the_last_words_on_a_task_count(report: str, reason: str) -> None:
    assert read_report(report).reasons == {"T001": reason}


def test_a_message_is_bounded_in_every_part() -> None:
    lines = [f"Decision: {number} {'x' * 2000}" for number in range(100)]
    read = read_report(
        "\n".join([*lines, *(f"remark {number}" for number in range(100)), f"T001: not done - {'y' * 9000}"])
    )
    assert len(read.remarks) <= MOST_REMARKS
    assert len(read.decisions) <= MOST_DECISIONS
    assert all(len(line) <= LONGEST_LINE for line in (*read.decisions, *read.remarks, *read.reasons.values()))


@given(st.text(alphabet=st.sampled_from("T01: -not done\n#*`>Decision"), max_size=300))
def test_any_message_is_read(report: str) -> None:
    read = read_report(report)
    assert all("\n" not in line and line for line in (*read.decisions, *read.remarks))
