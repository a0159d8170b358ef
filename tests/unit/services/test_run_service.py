"""Starting runs and looking at them, as every door of the house does."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from moonmind.engine.dispatch_loop import LeaveDue
from moonmind.errors import (
    ErrorInfo,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    RunActive,
)
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import Failed, RunStatus
from moonmind.services.run_service import RunService
from moonmind.wire import CreateRun, SpecWorkflowRun
from tests.support.databases import add_later_run, add_run, at_once, due, everything
from tests.support.engine_room import EngineRoom
from tests.support.waiting import until


def request(repository: str = "octo/demo", **values: object) -> CreateRun:
    return CreateRun.model_validate({"repository": repository, **values})


# --- start ---------------------------------------------------------------------------------------------------------


def test_an_accepted_run_is_due_and_dispatched(room: EngineRoom) -> None:
    made = room.runs.create(request("Octo/Demo", featureKey="specs/001-demo/", notes="carefully"))
    run = room.read(made.id)
    assert (run.repository, run.requested_key, run.notes, run.stage) == (
        "Octo/Demo",
        "specs/001-demo",
        "carefully",
        Stage.DISCOVER,
    )
    assert made == room.runs.get(made.id)
    assert (made.status, made.celery_chain_id) == (RunStatus.PENDING, run.chain_id)
    assert made.tasks is not None
    assert [(task.task_name, task.state) for task in made.tasks] == [(stage.value, "waiting") for stage in STAGES]
    assert room.told.runs == [made.id]
    assert 3590 < (run.deadline - run.created_at).total_seconds() <= 3600


@pytest.mark.parametrize(
    "select",
    [
        {"story": "US1"},
        {"tasks": ["T001-T005", "T009"], "skip": ["T003"]},
        {"phase": "Phase 2: Größe", "tasks": ["T012"]},
    ],
)
def test_what_was_selected_is_kept_and_shown(room: EngineRoom, select: dict[str, Any]) -> None:
    made = room.runs.create(request(select=select))
    assert room.read(made.id).selection == select
    assert made.select is not None
    assert made.select.model_dump(exclude_defaults=True) == select
    assert room.runs.get(made.id).select == made.select


@pytest.mark.parametrize("values", [{}, {"select": None}, {"select": {}}, {"select": {"tasks": []}}])
def test_a_request_that_selects_nothing_means_every_task(room: EngineRoom, values: dict[str, Any]) -> None:
    made = room.runs.create(request(**values))
    assert (made.select, room.read(made.id).selection) == (None, None)


@pytest.mark.parametrize("stage", ["submit", "apply", "publish"])
def test_tasks_cannot_be_selected_where_discover_is_skipped(room: EngineRoom, stage: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        room.runs.create(request(select={"story": "US1"}, forcePhase=stage))
    assert refused.value.details == {"field": "select"}
    assert everything(room.database)["run"] == []
    assert room.runs.create(request(select={"story": "US1"}, forcePhase="discover")).select is not None


def test_without_a_dispatch_loop_the_run_is_left_to_the_next_sweep_of_another_process(room: EngineRoom) -> None:
    service = RunService(
        room.database,
        room.store,
        LeaveDue(room.database),
        room.preflight,
        room.stages,
        run_deadline_seconds=3600.0,
    )
    made = service.create(request())
    assert due(room.database) == [made.id]


@pytest.mark.parametrize(("first", "second"), [("001-demo", "1"), ("1", "specs/001-demo")])
def test_another_name_for_a_busy_feature_is_a_conflict_that_names_the_run(
    room: EngineRoom, first: str, second: str
) -> None:
    busy = room.runs.create(request(featureKey=first))
    before = everything(room.database)
    with pytest.raises(RunActive) as refused:
        room.runs.create(request("OCTO/demo", featureKey=second))
    assert str(busy.id) in refused.value.message
    assert (everything(room.database), room.told.runs) == (before, [busy.id])
    assert room.runs.create(request("octo/other", featureKey=second)).id != busy.id


def test_a_discovered_feature_is_busy_under_its_own_name(room: EngineRoom) -> None:
    room.runs.create(request(featureKey="one"))
    busy = add_run(room.database, repository="octo/demo", feature_key="specs/007-found")
    with pytest.raises(RunActive, match=str(busy.id)):
        room.runs.create(request(featureKey="7"))


# --- one key, one run ----------------------------------------------------------------------------------------------


def test_the_same_key_and_body_find_the_first_run_whatever_became_of_it(room: EngineRoom) -> None:
    made = room.runs.create(request(), idempotency_key="k")
    room.runs.cancel(made.id)
    again = room.runs.create(request(), idempotency_key="k")
    assert (again.id, again.status) == (made.id, RunStatus.CANCELLED)
    assert room.runs.create(request(), idempotency_key="l").id != made.id


def test_the_same_key_with_another_body_is_refused(room: EngineRoom) -> None:
    room.runs.create(request(), idempotency_key="k")
    for other in (
        request("octo/other"),
        request(notes="now"),
        request(featureKey="1"),
        request(select={"story": "US1"}),
    ):
        with pytest.raises(IdempotencyMismatch):
            room.runs.create(other, idempotency_key="k")


@pytest.mark.parametrize("feature", [None, "001-demo"])
def test_the_same_key_many_times_at_once_makes_one_run(room: EngineRoom, feature: str | None) -> None:
    body = request() if feature is None else request(featureKey=feature)
    found = at_once(6, lambda _: room.runs.create(body, idempotency_key="k"))
    assert [one for one in found if isinstance(one, Exception)] == []
    assert len({one.id for one in found if isinstance(one, SpecWorkflowRun)}) == 1
    assert len(everything(room.database)["run"]) == 1
    assert len(room.told.runs) == 1


def test_requests_at_once_without_a_key_make_one_run_and_conflicts(room: EngineRoom) -> None:
    found = at_once(6, lambda _: room.runs.create(request(featureKey="001-demo")))
    assert sum(isinstance(one, SpecWorkflowRun) for one in found) == 1
    assert sum(isinstance(one, RunActive) for one in found) == 5


# --- look ----------------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_without_gap_or_repeat_while_runs_are_added(room: EngineRoom) -> None:
    made = [add_later_run(room.database).id for _ in range(7)]
    first = room.runs.page(limit=3)
    add_later_run(room.database)
    second = room.runs.page(limit=3, cursor=first.next_cursor)
    third = room.runs.page(limit=3, cursor=second.next_cursor)
    assert [run.id for page in (first, second, third) for run in page.items] == made[::-1]
    assert third.next_cursor is None
    assert first.items[0].tasks is None


def test_a_page_that_is_just_full_is_the_last(room: EngineRoom) -> None:
    add_run(room.database)
    add_run(room.database)
    assert room.runs.page(limit=2).next_cursor is None
    assert room.runs.page(limit=0).next_cursor is not None


def test_a_listing_is_narrowed_by_status_repository_feature_and_text(room: EngineRoom) -> None:
    demo = room.runs.create(request("octo/demo", featureKey="001-demo")).id
    other = room.runs.create(request("octo/other")).id
    room.runs.cancel(other)

    def listed(**wanted: Any) -> list[UUID]:
        return [run.id for run in room.runs.page(**wanted).items]

    assert listed(status="cancelled") == listed(repository="OCTO/other") == listed(q="OTHER") == [other]
    assert listed(status="pending") == listed(feature_key="specs/001-demo/") == listed(q=str(demo)) == [demo]


def test_a_status_that_does_not_exist_and_a_foreign_cursor_are_refused(room: EngineRoom) -> None:
    with pytest.raises(InvalidRequest, match="status must be one of pending, running") as refused:
        room.runs.page(status="done")
    assert refused.value.details == {"field": "status"}
    with pytest.raises(InvalidRequest, match="cursor"):
        room.runs.page(cursor="mine")


def test_what_is_not_there_is_not_found(room: EngineRoom) -> None:
    run = add_run(room.database)
    for look in (room.runs.get, room.runs.tasks, room.runs.artifacts, room.runs.events, room.runs.cancel):
        with pytest.raises(NotFound):
            look(uuid4())
    with pytest.raises(NotFound, match="no artifact"):
        room.runs.open_artifact(run.id, "nope")
    with room.database.write() as unit:
        unit.artifacts.save(run.id, type="prompt", path="gone", content_type="text/plain", size=1, digest="sha256:0")
    with pytest.raises(NotFound) as gone:
        room.runs.open_artifact(run.id, "gone")
    assert "MOONMIND_RETENTION_DAYS" in gone.value.advice


def test_a_part_of_a_growing_file_is_read_as_it_is_now(room: EngineRoom) -> None:
    run = add_run(room.database)
    room.store.growing(run.id, "codex/attempt-1.jsonl").write_bytes(b"0123456789")
    with room.database.write() as unit:
        unit.artifacts.save(
            run.id, type="codex_logs", path="codex/attempt-1.jsonl", content_type="t", size=None, digest=None
        )
    content = room.runs.open_artifact(run.id, "codex/attempt-1.jsonl", start=3, length=4)
    assert (b"".join(content.chunks), content.size, content.growing) == (b"3456", 10, True)


def test_events_are_told_by_run_or_for_all(room: EngineRoom) -> None:
    first, second = room.reach(Stage.SUBMIT), add_run(room.database)
    mine = room.runs.events(first.id)
    assert [event.seq for event in mine] == [1, 2, 3]
    assert [event.seq for event in room.runs.events(first.id, after=1, limit=1)] == [2]
    # A transaction of any database of the server may hold events back for a moment.
    until(lambda: len(room.runs.events(None)) == 4, "all events", 30)
    assert {event.run_id for event in room.runs.events(None)} == {first.id, second.id}


def test_the_last_event_is_where_what_happens_next_begins(room: EngineRoom) -> None:
    assert room.runs.last_event_id() == 0
    add_run(room.database)
    # A transaction of any database of the server may hold events back for a moment.
    until(lambda: room.runs.last_event_id() > 0, "the event", 30)
    last = room.runs.last_event_id()
    assert [event.id for event in room.runs.events(None)] == [last]
    assert room.runs.events(None, after=last) == []


def test_every_attempt_is_listed_on_request(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, Failed(ErrorInfo("e", "why")))
    room.execute(run, Stage.SUBMIT)
    assert len(room.runs.tasks(run.id)) == 5
    assert len(room.runs.tasks(run.id, every_attempt=True)) == 5
