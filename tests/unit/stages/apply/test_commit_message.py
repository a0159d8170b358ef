"""What a commit says."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.verdict import Verdict
from moonmind.stages.apply.commit_message import SUBJECT_LENGTH, commit_message, subject
from moonmind.stages.kit.stage_results import Judgement, Verification, VerifiedCommand
from tests.support.plans import a_plan

RUN = UUID("11111111-2222-3333-4444-555555555555")
DONE = Judgement("T001", 10, Verdict.CHANGED, "a.py")
OPEN = Judgement("T002", 11, Verdict.OPEN, "unchanged: b.py")


def test_a_commit_message_says_the_verdicts_and_ends_with_the_run() -> None:
    message = commit_message(a_plan(phase="Phase 1: Setup"), [DONE, OPEN], RUN)
    assert message == (
        "spec-42-refresh-docs: Phase 1: Setup (T001)\n"
        "\n"
        "- T001 changed: a.py\n"
        "- T002 open: unchanged: b.py\n"
        "\n"
        "Feature: specs/spec-42-refresh-docs\n"
        f"Run-Id: {RUN}\n"
    )


def test_many_ids_are_counted_where_they_do_not_fit() -> None:
    many = [Judgement(f"T{number:03d}", number, Verdict.CHANGED, "") for number in range(1, 31)]
    assert subject(a_plan(phase="Phase 1: Setup"), many) == "spec-42-refresh-docs: Phase 1: Setup (30 tasks)"


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_hostile_phase_title_stays_on_one_line_and_forges_no_trailer(phase: str, because: str) -> None:
    message = commit_message(a_plan(phase=phase), [Judgement("T001", 1, Verdict.CHANGED, because)], RUN)
    lines = message.splitlines()
    assert len(lines) == 6
    assert len(lines[0].replace("\u200b", "")) <= SUBJECT_LENGTH
    assert lines[-1] == f"Run-Id: {RUN}"


@pytest.mark.parametrize(
    ("tests", "trailers"),
    [
        (None, []),
        (
            Verification((VerifiedCommand("pytest", "passed", seconds=1.5, passed=14, passed_before=12),)),
            ["Verified: pytest passed (14 passed, 12 before)"],
        ),
        (
            Verification(
                (
                    VerifiedCommand(
                        "npm test", "failed", root="web", passed=3, failed=2, passed_before=4, broke=("a",)
                    ),
                    VerifiedCommand(
                        "sky",
                        "failed before",
                        passed=1,
                        failed=3,
                        passed_before=1,
                        fails_as_before=("a", "b"),
                        flaky=("c",),
                    ),
                    VerifiedCommand("go test in api", "could not run", root="api"),
                    VerifiedCommand("make", "passed"),
                )
            ),
            [
                "Verified: npm test in web failed (3 passed, 4 before; 2 failed, 1 of them passed before)",
                "Verified: sky failed before (1 passed, 1 before; 3 failed, 2 of them as before, 1 of them flaky)",
                "Verified: go test in api could not run",
                "Verified: make passed",
            ],
        ),
        (Verification(not_run="no command was found"), ["Verified: nothing, since no command was found"]),
        (Verification(), ["Verified: nothing, since no test was run"]),
    ],
)
def test_each_command_has_a_trailer_in_the_words_of_the_pull_request(
    tests: Verification | None, trailers: list[str]
) -> None:
    lines = commit_message(a_plan(), [DONE], RUN, tests).splitlines()
    assert lines[4:] == [*trailers, "Feature: specs/spec-42-refresh-docs", f"Run-Id: {RUN}"]
    assert lines[3] == ""


def test_another_time_of_the_same_tests_gives_the_same_commit() -> None:
    said = [
        commit_message(a_plan(), [DONE], RUN, Verification((VerifiedCommand("pytest", "passed", seconds=taken),)))
        for taken in (1.0, 9.5)
    ]
    assert said[0] == said[1]


@given(st.text(max_size=200))
def test_a_hostile_name_of_a_command_forges_no_trailer(words: str) -> None:
    commands = tuple(VerifiedCommand(words, words, root=words or ".") for _ in range(25))
    lines = commit_message(a_plan(), [DONE], RUN, Verification(commands)).splitlines()
    assert len(lines) == 4 + 21 + 2
    assert lines[-1] == f"Run-Id: {RUN}"
    assert all(line.startswith("Verified: ") for line in lines[4:25])
    assert lines[24] == "Verified: and 5 more"
