"""What a commit says."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.verdict import Verdict
from moonmind.stages.apply.commit_message import SUBJECT_LENGTH, commit_message, subject
from moonmind.stages.kit.stage_results import Judgement
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
