"""What becomes of what a stage reports."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import ErrorInfo
from moonmind.runs.attention import Attention, Option
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import (
    ACTIVE,
    TERMINAL,
    WAITS_FOR_JOB,
    Advance,
    Ask,
    AttemptState,
    Close,
    Counts,
    Decision,
    Done,
    Failed,
    GoBack,
    NothingToDo,
    Outcome,
    Redo,
    RetryMode,
    RunStatus,
    Suspend,
    TryAgain,
    Wait,
    WaitingReason,
    decide,
    may_retry,
)
from moonmind.runs.retry import RetryPolicy
from tests.model.laws import LEGAL

POLICY = RetryPolicy()
ERROR = ErrorInfo("git_failed", "the connection broke")


def decided(stage: Stage, outcome: Outcome, errors: int = 0, rounds: int = 0) -> Decision:
    return decide(stage, Counts(errors, rounds), outcome, POLICY, 0.5)


def test_done_moves_to_the_next_stage_with_its_outputs() -> None:
    assert decided(Stage.DISCOVER, Done({"a": 1})) == Advance(Stage.SUBMIT, {"a": 1})


def test_done_at_the_last_stage_closes_the_run_as_succeeded() -> None:
    assert decided(Stage.FINALIZE, Done({"a": 1})) == Close(RunStatus.SUCCEEDED, AttemptState.SUCCEEDED, {"a": 1})


def test_nothing_to_do_closes_as_no_work_with_the_reason() -> None:
    assert decided(Stage.DISCOVER, NothingToDo("all done")) == Close(
        RunStatus.NO_WORK, AttemptState.SUCCEEDED, {}, reason="all done"
    )


@pytest.mark.parametrize("checkpoint", [None, {"looked": 1}])
def test_a_question_waits_for_a_person_as_long_as_the_policy_says_and_holds_nothing(
    checkpoint: dict[str, int] | None,
) -> None:
    options = (Option("a", "the first"), Option("b", "the second"))
    decision = decide(
        Stage.SUBMIT, Counts(), Ask("a-kind", "Which?", options, checkpoint), RetryPolicy(attention_seconds=7.0), 0.5
    )
    assert decision == Wait(
        WaitingReason.NEEDS_ATTENTION,
        7.0,
        None,
        checkpoint,
        renews_deadline=True,
        frees_slot=True,
        attention=Attention("a-kind", "Which?", options),
    )


@pytest.mark.parametrize("reason", list(WaitingReason))
def test_waiting_for_anything_but_agent_and_backoff_renews_the_deadline(reason: WaitingReason) -> None:
    decision = decided(Stage.SUBMIT, Suspend(reason, 5.0))
    assert isinstance(decision, Wait)
    assert decision.renews_deadline is (reason not in {*WAITS_FOR_JOB, WaitingReason.BACKOFF})
    assert decision.frees_slot is (reason is not WaitingReason.AGENT)


def test_a_stated_instant_is_kept_beside_the_seconds() -> None:
    instant = datetime(2027, 1, 1, tzinfo=UTC)
    decision = decided(Stage.SUBMIT, Suspend(WaitingReason.QUOTA, until=instant))
    assert isinstance(decision, Wait)
    assert decision.until == instant


def test_a_transient_error_is_tried_again_five_times_and_no_more() -> None:
    for errors in range(5):
        assert isinstance(decided(Stage.PUBLISH, Failed(ERROR, transient=True), errors), TryAgain)
    assert decided(Stage.PUBLISH, Failed(ERROR, transient=True), 5) == Close(
        RunStatus.FAILED, AttemptState.FAILED, error=ERROR
    )


def test_a_service_that_is_away_is_asked_more_often() -> None:
    away = Failed(ERROR, transient=True, outage=True)
    for errors in range(20):
        assert isinstance(decided(Stage.PUBLISH, away, errors), TryAgain)
    assert decided(Stage.PUBLISH, away, 20) == Close(RunStatus.FAILED, AttemptState.FAILED, error=ERROR)


def test_a_permanent_error_fails_at_once_and_keeps_what_was_made() -> None:
    assert decided(Stage.SUBMIT, Failed(ERROR, checkpoint={"codexTaskId": "t"})) == Close(
        RunStatus.FAILED, AttemptState.FAILED, checkpoint={"codexTaskId": "t"}, error=ERROR
    )


def test_one_round_back_is_allowed_and_the_second_fails() -> None:
    assert decided(Stage.APPLY, Redo(Stage.SUBMIT, "tests fail")) == GoBack(Stage.SUBMIT, "tests fail", None)
    again = decided(Stage.APPLY, Redo(Stage.SUBMIT, "tests fail"), rounds=1)
    assert isinstance(again, Close)
    assert again.error is not None
    assert again.error.code == "rounds_exhausted"
    assert "tests fail" in again.error.message


@pytest.mark.parametrize("target", [Stage.APPLY, Stage.PUBLISH])
def test_redo_never_moves_forward(target: Stage) -> None:
    decision = decided(Stage.APPLY, Redo(target, "why"))
    assert isinstance(decision, Close)
    assert decision.status is RunStatus.FAILED


OUTCOMES = st.one_of(
    st.just(Done()),
    st.just(NothingToDo("none")),
    st.builds(Suspend, st.sampled_from(WaitingReason), st.floats(0, 1e6)),
    st.builds(Failed, st.just(ERROR), st.booleans(), outage=st.booleans()),
    st.builds(Redo, st.sampled_from(Stage), st.text(max_size=5)),
)


@given(
    st.sampled_from(Stage),
    st.integers(0, 30),
    st.integers(0, 3),
    OUTCOMES,
    st.floats(0, 1, exclude_max=True),
)
def test_every_outcome_at_every_stage_has_a_legal_decision(
    stage: Stage, errors: int, rounds: int, outcome: Outcome, chance: float
) -> None:
    match decide(stage, Counts(errors, rounds), outcome, POLICY, chance):
        case Advance(following):
            assert following.position == stage.position + 1
        case Close(status):
            assert status in LEGAL[RunStatus.RUNNING]
            assert status in TERMINAL
        case GoBack(target):
            assert target.position < stage.position
            assert rounds < POLICY.max_rounds
        case TryAgain(seconds):
            assert 0 <= seconds <= POLICY.cap_seconds
            assert isinstance(outcome, Failed)
            assert errors < (POLICY.max_outages if outcome.outage else POLICY.max_errors)
        case Wait(seconds=seconds):
            assert seconds >= 0


def test_a_terminal_status_is_left_by_retry_alone() -> None:
    for status in TERMINAL:
        assert LEGAL[status] <= {RunStatus.RETRYING}
    assert set(LEGAL) == ACTIVE | TERMINAL


def test_who_may_be_retried_and_how() -> None:
    allowed = {(status, mode) for status in RunStatus for mode in RetryMode if may_retry(status, mode)}
    assert allowed == {
        (RunStatus.FAILED, RetryMode.RESUME_FAILED_TASK),
        (RunStatus.FAILED, RetryMode.RESTART_FROM_DISCOVERY),
        (RunStatus.CANCELLED, RetryMode.RESUME_FAILED_TASK),
        (RunStatus.CANCELLED, RetryMode.RESTART_FROM_DISCOVERY),
        (RunStatus.NO_WORK, RetryMode.RESTART_FROM_DISCOVERY),
    }


def test_the_chain_is_the_five_stages_in_order() -> None:
    assert [stage.value for stage in STAGES] == ["discover", "submit", "apply", "publish", "finalize"]
    assert [stage.position for stage in STAGES] == [0, 1, 2, 3, 4]
