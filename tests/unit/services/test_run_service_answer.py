"""What a person may answer, when, and what becomes of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from moonmind.db.clock import db_now, db_now_plus
from moonmind.engine.dispatch_loop import LeaveDue
from moonmind.engine.stage_context import StageContext
from moonmind.errors import AnswerNotAwaited, ErrorInfo, NotFound, RepositoryNotAllowed, RunActive
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs.attention import CHOOSE_FEATURE, Answered, Attention, Option
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, Failed, Outcome, RetryMode, RunStatus, Suspend, WaitingReason
from moonmind.services.run_service import RunService
from moonmind.speckit.answer import CONTINUE, STALE_BOXES
from moonmind.wire import AnswerRun, CreateRun, RetryRun, SpecWorkflowRun
from tests.support.databases import (
    add_run,
    at_once,
    due,
    event_types,
    events_of,
    everything,
    make_due,
    read_run,
    set_columns,
    try_claim,
)
from tests.support.engine_room import EngineRoom

FEATURES = ("specs/001-accounts", "specs/002-billing", "apps/web/specs/001-pages")
WHICH = Ask(CHOOSE_FEATURE, "Which feature?", tuple(Option(path, f"facts of {path}") for path in FEATURES))
MAY_I = Ask("findings", "Publish it?", (Option("approve", "publish"), Option("reject", "stop")))
STALE = Ask(STALE_BOXES, "Go on?", (Option(CONTINUE, "go on"), *WHICH.options))
IN_WORDS = Ask("a-question", "What is it called?")
REPOSITORY = "octo/demo"


def asking(room: EngineRoom, ask: Ask = WHICH, stage: Stage = Stage.DISCOVER, **values: Any) -> UUID:
    """Bring a run to a stage that asks, and with the answer is done; its result has what was answered."""

    def work(context: StageContext) -> Outcome:
        answer = context.answer
        return ask if answer is None else Done({"v": 1, "answered": answer.choice or answer.text or answer.approved})

    run = room.reach(stage, **values)
    room.does(stage, work)
    room.execute(run, stage)
    assert room.read(run).waiting_reason is WaitingReason.NEEDS_ATTENTION
    room.told.runs.clear()
    return run.id


def answer(room: EngineRoom, run_id: UUID, *, by: str | None = "ana", **body: Any) -> SpecWorkflowRun:
    return room.runs.answer(run_id, AnswerRun(**body), actor=by)


def question(room: EngineRoom, run_id: UUID) -> int:
    """Return what names the question that the run asks now."""
    attention = room.runs.get(run_id).attention
    assert attention is not None
    return attention.question


def refused(room: EngineRoom, run_id: UUID, **body: Any) -> AnswerNotAwaited:
    """Answer what is not asked; nothing is written."""
    before = everything(room.database)
    with pytest.raises(AnswerNotAwaited) as found:
        answer(room, run_id, **body)
    assert everything(room.database) == before
    assert room.told.runs == []
    return found.value


# --- the question --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ask", "stage"), [(WHICH, Stage.DISCOVER), (MAY_I, Stage.PUBLISH), (IN_WORDS, Stage.SUBMIT)])
def test_a_run_that_asks_shows_what_and_until_when(room: EngineRoom, ask: Ask, stage: Stage) -> None:
    run_id = asking(room, ask, stage)
    view, run = room.runs.get(run_id), room.read(run_id)
    assert view.attention is not None
    assert (view.attention.kind, view.attention.text) == (ask.kind, ask.text)
    assert [(one.value, one.text) for one in view.attention.options] == [(one.value, one.text) for one in ask.options]
    assert view.waiting is not None
    assert view.attention.until == view.waiting.until == run.not_before
    assert run.waiting_since is not None
    assert run.not_before - run.waiting_since == timedelta(hours=72)
    (listed,) = room.runs.page().items
    assert listed.attention == view.attention
    asked = events_of(room.database, run_id)[-1]
    assert (asked.type.value, asked.data["kind"], asked.data["text"]) == ("run.asked", ask.kind, ask.text)


def test_a_run_that_asks_costs_nothing(room: EngineRoom) -> None:
    def work(context: StageContext) -> Outcome:
        assert context.services.take_slot()
        return MAY_I

    run = room.reach(Stage.SUBMIT)
    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    with room.database.read() as unit:
        assert unit.slots.used(room.host.id) == 0
        assert unit.wakeups.suspended_on_job(room.host.id, 10) == []
    assert room.read(run).lease_owner is None
    assert due(room.database) == []
    assert try_claim(room.database, run.id, Stage.SUBMIT) is None


# --- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "body", "given", "stored"),
    [
        (WHICH, {"choice": "specs/002-billing", "why": "now"}, "specs/002-billing", {"choice": "specs/002-billing"}),
        (WHICH, {"choice": "002"}, "specs/002-billing", {"choice": "specs/002-billing"}),
        (WHICH, {"choice": "001-pages"}, "apps/web/specs/001-pages", {"choice": "apps/web/specs/001-pages"}),
        (MAY_I, {"approve": True, "why": "a test's key"}, True, {"approve": True}),
        (MAY_I, {"choice": "approve"}, True, {"approve": True}),
        (IN_WORDS, {"text": "It is called x."}, "It is called x.", {"text": "It is called x."}),
    ],
)
def test_an_answer_makes_the_run_go_on_at_once_and_reaches_the_stage(
    room: EngineRoom, ask: Ask, body: dict[str, Any], given: str | bool, stored: dict[str, Any]
) -> None:
    run_id = asking(room, ask)
    view = answer(room, run_id, **body)
    assert (view.attention, view.waiting, view.status) == (None, None, RunStatus.RUNNING)
    run = room.read(run_id)
    assert room.told.runs == [run_id]
    assert run.deadline - run.not_before == timedelta(seconds=3600)
    told = events_of(room.database, run_id)[-1]
    assert (told.type.value, told.actor) == ("run.answered", "ana")
    assert {"by": "ana", "why": body.get("why"), "kind": ask.kind, **stored}.items() <= told.data.items()
    room.execute(run, Stage.DISCOVER)
    after = room.read(run_id)
    assert (after.stage, after.attention) == (Stage.SUBMIT, None)
    with room.database.read() as unit:
        assert unit.attempts.results(run_id)[Stage.DISCOVER]["answered"] == given


def test_a_rejection_is_an_answer_too(room: EngineRoom) -> None:
    run_id = asking(room, MAY_I)
    answer(room, run_id, reject=True, why="not yet")
    seen: list[Answered | None] = []

    def work(context: StageContext) -> Outcome:
        seen.append(context.answer)
        return Done({"v": 1})

    room.does(Stage.DISCOVER, work)
    room.execute(room.read(run_id), Stage.DISCOVER)
    (found,) = seen
    assert found is not None
    assert (found.approved, found.why, found.by, found.choice, found.text) == (False, "not yet", "ana", None, None)


@pytest.mark.parametrize(
    ("ask", "body", "said"),
    [
        (WHICH, {"choice": "specs/003-c"}, "'specs/003-c' is not one of the options: specs/001-accounts,"),
        (WHICH, {"choice": "001"}, "'001' is not one of the options"),
        (WHICH, {"text": "the first"}, "asks for one of its options, not for a text"),
        (WHICH, {"approve": True}, "'approve' is not one of the options"),
        (MAY_I, {"choice": "Approve"}, "'Approve' is not one of the options: approve, reject"),
        (IN_WORDS, {"choice": "x"}, "asks for a text, and 'x' was chosen"),
        (IN_WORDS, {"reject": True}, "asks for a text, and 'reject' was chosen"),
    ],
)
def test_an_answer_that_is_not_offered_is_refused_with_what_is_asked(
    room: EngineRoom, ask: Ask, body: dict[str, Any], said: str
) -> None:
    run_id = asking(room, ask)
    error = refused(room, run_id, **body)
    assert said in error.message
    view = room.runs.get(run_id)
    assert view.attention is not None
    assert error.details == {"status": "running", "awaited": view.attention.model_dump(mode="json", by_alias=True)}


def test_a_late_answer_is_told_what_was_answered_before(room: EngineRoom) -> None:
    run_id = asking(room)
    answer(room, run_id, choice="specs/001-accounts")
    room.told.runs.clear()
    for _ in range(2):
        error = refused(room, run_id, choice="specs/002-billing")
        assert "answered before: 'specs/001-accounts' by ana" in error.message
        assert error.details["awaited"] is None
        assert error.details["answered"]["choice"] == "specs/001-accounts"
        room.execute(room.read(run_id), Stage.DISCOVER)  # the second time, the stage that asked has ended


def test_a_run_that_never_asked_refuses_an_answer(room: EngineRoom) -> None:
    run = add_run(room.database)
    error = refused(room, run.id, choice="x")
    assert (error.message, error.details) == ("the run asks nothing", {"status": "pending", "awaited": None})
    with pytest.raises(NotFound):
        answer(room, uuid4(), choice="x")


def test_an_answer_after_the_time_is_refused_before_and_after_the_janitor_comes(room: EngineRoom) -> None:
    run_id = asking(room)
    make_due(room.database, run_id)
    assert room.runs.get(run_id).attention is None
    refused(room, run_id, choice="specs/001-accounts")
    with room.database.write() as unit:
        (closed,) = unit.rescues.close_unanswered()
    assert closed.error is not None
    assert "Which feature?" in closed.error.message
    error = refused(room, run_id, choice="specs/001-accounts")
    assert error.message == "the run asks nothing: it has ended as failed (unanswered)"


def test_of_several_answers_at_once_one_counts_and_the_others_are_told_of_it(room: EngineRoom) -> None:
    run_id = asking(room)
    found = at_once(4, lambda number: answer(room, run_id, by=f"person-{number}", choice=FEATURES[number % 3]))
    views = [one for one in found if isinstance(one, SpecWorkflowRun)]
    errors = [one for one in found if isinstance(one, AnswerNotAwaited)]
    assert (len(views), len(errors)) == (1, 3), found
    (told,) = [one for one in events_of(room.database, run_id) if one.type == "run.answered"]
    assert all(error.details["answered"] == told.data for error in errors)
    assert room.told.runs == [run_id]


def test_an_answer_and_a_cancel_at_once_leave_one_of_both(room: EngineRoom) -> None:
    run_id = asking(room)

    def act(number: int) -> SpecWorkflowRun:
        return room.runs.cancel(run_id) if number else answer(room, run_id, choice=FEATURES[0])

    answered, cancelled = at_once(2, act)
    assert isinstance(cancelled, SpecWorkflowRun)
    assert cancelled.status is RunStatus.CANCELLED
    assert isinstance(answered, SpecWorkflowRun | AnswerNotAwaited)
    assert event_types(room.database, run_id).count("run.answered") == isinstance(answered, SpecWorkflowRun)


def test_an_answer_to_an_earlier_question_is_not_taken_for_one_to_the_next(room: EngineRoom) -> None:
    run_id = asking(room)
    seen = room.read(run_id)
    answer(room, run_id, choice="specs/001-accounts")
    room.reports(Stage.DISCOVER, WHICH)
    room.execute(room.read(run_id), Stage.DISCOVER)
    again = room.read(run_id)
    assert (again.waiting_reason, again.feature_key) == (WaitingReason.NEEDS_ATTENTION, None)
    with room.database.write() as unit:
        earlier = Attention.read(seen.attention)
        assert earlier is not None
        assert unit.requests.answer(seen, earlier, feature_key=None, deadline_seconds=60.0) is None
    assert room.read(run_id) == again


def _answered_and_asked_anew(room: EngineRoom, run_id: UUID) -> None:
    answer(room, run_id, choice="specs/001-accounts")
    room.reports(Stage.DISCOVER, STALE)
    room.execute(room.read(run_id), Stage.DISCOVER)


def _answered_and_asked_the_same(room: EngineRoom, run_id: UUID) -> None:
    answer(room, run_id, choice="specs/001-accounts")
    room.reports(Stage.DISCOVER, WHICH)
    room.execute(room.read(run_id), Stage.DISCOVER)


def _expired_and_retried(room: EngineRoom, run_id: UUID) -> None:
    make_due(room.database, run_id)
    with room.database.write() as unit:
        unit.rescues.close_unanswered()
    room.runs.retry(run_id, RetryRun(mode=RetryMode.RESUME_FAILED_TASK))
    room.execute(room.read(run_id), Stage.DISCOVER)


def _asked_by_a_later_stage(room: EngineRoom, run_id: UUID) -> None:
    answer(room, run_id, choice="specs/001-accounts")
    room.execute(room.read(run_id), Stage.DISCOVER)
    room.reports(Stage.SUBMIT, WHICH)
    room.execute(room.read(run_id), Stage.SUBMIT)


@pytest.mark.parametrize(
    "meanwhile",
    [_answered_and_asked_anew, _answered_and_asked_the_same, _expired_and_retried, _asked_by_a_later_stage],
)
def test_an_answer_that_names_an_earlier_question_is_refused_although_its_choice_is_offered_again(
    room: EngineRoom, meanwhile: Callable[[EngineRoom, UUID], None]
) -> None:
    run_id = asking(room)
    seen = question(room, run_id)
    meanwhile(room, run_id)
    room.told.runs.clear()
    error = refused(room, run_id, choice="specs/002-billing", question=seen)
    now = room.runs.get(run_id).attention
    assert now is not None
    assert error.message == f"question {seen} is not open; the run asks question {now.question} now: {now.text}"
    assert error.details == {"status": "running", "awaited": now.model_dump(mode="json", by_alias=True)}
    view = answer(room, run_id, choice="specs/002-billing", question=error.details["awaited"]["question"])
    assert view.attention is None


@pytest.mark.parametrize("off", [-1, 1, 10**30])
def test_an_answer_that_names_no_question_of_the_run_is_refused(room: EngineRoom, off: int) -> None:
    run_id = asking(room)
    refused(room, run_id, choice="specs/002-billing", question=question(room, run_id) + off)


def test_an_answer_lasts_while_its_stage_waits_fails_and_is_tried_again(room: EngineRoom) -> None:
    run_id = asking(room)
    answer(room, run_id, choice="specs/001-accounts")
    answers: list[str | None] = []
    for outcome in (
        Suspend(WaitingReason.RATE_LIMIT, 1.0),
        Failed(ErrorInfo("away", ""), transient=True),
        Done({"v": 1}),
    ):

        def work(context: StageContext, outcome: Outcome = outcome) -> Outcome:
            answers.append(context.answer.choice if context.answer else None)
            return outcome

        room.does(Stage.DISCOVER, work)
        make_due(room.database, run_id)
        room.execute(room.read(run_id), Stage.DISCOVER)
    assert answers == ["specs/001-accounts"] * 3
    assert room.read(run_id).attention is None


def test_a_retry_asks_again(room: EngineRoom) -> None:
    run_id = asking(room)
    make_due(room.database, run_id)
    with room.database.write() as unit:
        unit.rescues.close_unanswered()
    room.runs.retry(run_id, RetryRun(mode=RetryMode.RESUME_FAILED_TASK))
    room.execute(room.read(run_id), Stage.DISCOVER)
    assert room.runs.get(run_id).attention is not None
    answer(room, run_id, choice="specs/001-accounts")
    assert event_types(room.database, run_id).count("run.asked") == 2


def test_a_cancel_ends_a_run_that_asks_at_once(room: EngineRoom) -> None:
    run_id = asking(room)
    view = room.runs.cancel(run_id)
    assert (view.status, view.attention) == (RunStatus.CANCELLED, None)
    assert room.read(run_id).attention is None
    error = refused(room, run_id, choice="specs/001-accounts")
    assert error.message == "the run asks nothing: it has ended as cancelled"


def test_a_run_that_is_being_cancelled_asks_nothing(room: EngineRoom) -> None:
    run_id = asking(room, MAY_I, Stage.PUBLISH)
    set_columns(room.database, run_id, cancel_requested_at=db_now())
    assert room.runs.get(run_id).attention is None
    assert "it is being cancelled" in refused(room, run_id, approve=True).message


def test_a_repository_that_is_no_longer_allowed_gets_no_answer(room: EngineRoom) -> None:
    run_id = asking(room, repository=REPOSITORY)
    service = RunService(
        room.database,
        room.store,
        room.told,
        room.preflight,
        room.stages,
        run_deadline_seconds=60.0,
        admitted=RepositoryPatterns(("acme/*",)),
    )
    with pytest.raises(RepositoryNotAllowed):
        service.answer(run_id, AnswerRun(choice="specs/001-accounts"))
    assert room.runs.get(run_id).attention is not None


def test_without_a_dispatch_loop_an_answer_is_left_to_the_next_sweep_of_another_process(room: EngineRoom) -> None:
    run_id = asking(room)
    service = RunService(
        room.database, room.store, LeaveDue(room.database), room.preflight, room.stages, run_deadline_seconds=60.0
    )
    service.answer(run_id, AnswerRun(choice="specs/001-accounts"))
    assert due(room.database) == [run_id]


# --- other runs of the repository ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["specs/002-billing", "002", "specs/009-other"])
def test_a_run_whose_feature_is_to_be_chosen_blocks_only_its_own_request(room: EngineRoom, name: str) -> None:
    run_id = asking(room, repository=REPOSITORY)
    with pytest.raises(RunActive, match="waits for a person's answer") as busy:
        room.runs.create(CreateRun(repository=REPOSITORY))
    assert busy.value.details == {"runId": str(run_id)}
    assert f"moonmind answer {run_id}" in busy.value.advice
    assert room.runs.create(CreateRun(repository=REPOSITORY, feature_key=name)).status is RunStatus.PENDING


@pytest.mark.parametrize("name", ["specs/001-accounts", "001-pages", "apps/web/specs/001-pages"])
def test_a_run_that_asks_which_of_two_was_meant_leaves_both_free(room: EngineRoom, name: str) -> None:
    asking(room, repository=REPOSITORY, requested_key="001")
    with pytest.raises(RunActive):
        room.runs.create(CreateRun(repository=REPOSITORY, feature_key="001"))
    assert room.runs.create(CreateRun(repository=REPOSITORY, feature_key=name)).status is RunStatus.PENDING


@pytest.mark.parametrize("name", ["specs/002-billing", "002-billing", "002"])
def test_a_feature_that_another_run_works_on_cannot_be_chosen_and_the_question_stays_open(
    room: EngineRoom, name: str
) -> None:
    run_id = asking(room, repository=REPOSITORY)
    other = room.runs.create(CreateRun(repository=REPOSITORY, feature_key=name))
    room.told.runs.clear()
    before = everything(room.database)
    with pytest.raises(RunActive) as busy:
        answer(room, run_id, choice="specs/002-billing")
    assert busy.value.details == {"runId": str(other.id)}
    assert "the question stays open" in busy.value.advice
    assert (everything(room.database), room.told.runs) == (before, [])
    assert answer(room, run_id, choice="specs/001-accounts").feature_key == "001-accounts"


def test_who_is_asked_about_stale_boxes_cannot_choose_a_feature_that_is_taken_either(room: EngineRoom) -> None:
    run_id = asking(room, STALE, repository=REPOSITORY)
    other = room.runs.create(CreateRun(repository=REPOSITORY, feature_key="002"))
    room.told.runs.clear()
    for name in ("specs/002-billing", "002"):
        with pytest.raises(RunActive) as busy:
            answer(room, run_id, choice=name)
        assert busy.value.details == {"runId": str(other.id)}
    assert room.runs.get(run_id).attention is not None
    assert answer(room, run_id, choice="001-accounts").feature_key == "001-accounts"


@pytest.mark.parametrize("feature", FEATURES)
def test_going_on_with_a_feature_takes_it_unless_another_run_has_it(room: EngineRoom, feature: str) -> None:
    stale = Ask(STALE_BOXES, "Go on?", (Option(CONTINUE, "go on"),), feature=feature)
    run_id = asking(room, stale, repository=REPOSITORY)
    other = room.runs.create(CreateRun(repository=REPOSITORY, feature_key=feature))
    with pytest.raises(RunActive) as busy:
        answer(room, run_id, choice=CONTINUE)
    assert busy.value.details == {"runId": str(other.id)}
    assert room.runs.get(run_id).attention is not None
    room.runs.cancel(other.id)
    answer(room, run_id, choice=CONTINUE)
    assert room.read(run_id).feature_key == feature


def test_who_answers_late_is_not_told_an_answer_to_an_earlier_question(room: EngineRoom) -> None:
    run_id = asking(room)
    answer(room, run_id, choice="specs/001-accounts")
    room.does(Stage.DISCOVER, lambda _: WHICH)
    room.execute(room.read(run_id), Stage.DISCOVER)
    room.told.runs.clear()
    set_columns(room.database, run_id, not_before=db_now_plus(-1.0))
    assert "answered" not in refused(room, run_id, choice="specs/002-billing").details


def test_a_feature_that_was_chosen_is_taken_from_then_on(room: EngineRoom) -> None:
    run_id = asking(room, repository=REPOSITORY)
    answer(room, run_id, choice="specs/002-billing")
    with pytest.raises(RunActive) as busy:
        room.runs.create(CreateRun(repository=REPOSITORY, feature_key="002"))
    assert busy.value.details == {"runId": str(run_id)}


def test_of_a_request_and_an_answer_for_one_feature_at_once_one_is_refused(room: EngineRoom) -> None:
    run_id = asking(room, repository=REPOSITORY)

    def act(number: int) -> SpecWorkflowRun:
        if number:
            return room.runs.create(CreateRun(repository=REPOSITORY, feature_key="002"))
        return answer(room, run_id, choice="specs/002-billing")

    found = at_once(2, act)
    assert sorted(type(one).__name__ for one in found) == ["RunActive", "SpecWorkflowRun"]


def test_a_question_about_something_else_leaves_its_feature_taken(room: EngineRoom) -> None:
    asking(room, MAY_I, Stage.SUBMIT, repository=REPOSITORY, requested_key="specs/002-billing")
    with pytest.raises(RunActive):
        room.runs.create(CreateRun(repository=REPOSITORY, feature_key="002"))


def test_the_answer_of_a_moment_ago_is_not_undone_by_the_end_of_the_time(room: EngineRoom) -> None:
    run_id = asking(room)
    answer(room, run_id, choice="specs/001-accounts")
    set_columns(room.database, run_id, not_before=db_now_plus(-1.0))
    with room.database.write() as unit:
        assert unit.rescues.close_unanswered() == []
    assert read_run(room.database, run_id).status is RunStatus.RUNNING
