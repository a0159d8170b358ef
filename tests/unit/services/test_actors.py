"""Who did it: each request keeps the name of whoever made it first."""

from uuid import UUID

import pytest

from moonmind.errors import MoonMindError
from moonmind.runs.chain import Stage
from moonmind.runs.machine import NothingToDo, RetryMode
from moonmind.wire import CreateRun, RetryRun
from tests.support.databases import at_once, suspend
from tests.support.engine_room import EngineRoom

NAMES = ["ana", "uid 1234", "CORP\\ana", "ci-bot.2", "zoë", None]
RESTART = RetryRun(mode=RetryMode.RESTART_FROM_DISCOVERY)


def asked(room: EngineRoom, run_id: UUID) -> list[tuple[str, str | None]]:
    """Return the type and actor of each request in a run's events."""
    events = room.runs.events(run_id, limit=1000)
    return [(event.type.value, event.actor) for event in events if event.actor is not None]


@pytest.mark.parametrize("name", NAMES)
def test_a_start_a_cancel_and_a_retry_carry_the_name(room: EngineRoom, name: str | None) -> None:
    made = room.runs.create(CreateRun(repository="octo/demo"), actor=name)
    room.runs.cancel(made.id, actor=name)
    retried = room.runs.retry(made.id, RetryRun(), actor=name)
    assert made.started_by == retried.started_by == room.read(made.id).started_by == name
    kinds = ["run.created", "run.cancel_requested", "run.retried"]
    assert asked(room, made.id) == [(kind, name) for kind in kinds if name is not None]
    assert [(event.type.value, event.actor) for event in room.runs.requests(made.id)] == asked(room, made.id)


def test_each_request_has_a_name_of_its_own(room: EngineRoom) -> None:
    made = room.runs.create(CreateRun(repository="octo/demo"), actor="ana")
    room.runs.cancel(made.id, actor="ben")
    assert room.runs.retry(made.id, RESTART, actor="cleo").started_by == "ana"
    assert asked(room, made.id) == [("run.created", "ana"), ("run.cancel_requested", "ben"), ("run.retried", "cleo")]


def test_what_the_program_does_by_itself_carries_no_name(room: EngineRoom) -> None:
    made = room.runs.create(CreateRun(repository="octo/demo"), actor="ana")
    room.reports(Stage.DISCOVER, NothingToDo("all done"))
    room.execute(room.read(made.id), Stage.DISCOVER)
    events = room.runs.events(made.id)
    assert [(event.type.value, event.actor) for event in events][1:] == [
        ("attempt.started", None),
        ("run.closed", None),
    ]


def test_a_repeated_start_keeps_who_was_first(room: EngineRoom) -> None:
    body = CreateRun(repository="octo/demo")
    first = room.runs.create(body, idempotency_key="k", actor="ana")
    again = room.runs.create(body, idempotency_key="k", actor="ben")
    assert (again.id, again.started_by) == (first.id, "ana")
    assert asked(room, first.id) == [("run.created", "ana")]


def test_of_several_starts_at_once_all_name_the_same(room: EngineRoom) -> None:
    names = ["ana", "ben", "cleo", "dan"]
    body = CreateRun(repository="octo/demo")
    found = at_once(4, lambda number: room.runs.create(body, idempotency_key="k", actor=names[number]))
    assert len({(one.id, one.started_by) for one in found if not isinstance(one, Exception)}) == 1


def test_of_several_cancels_the_first_is_named(room: EngineRoom) -> None:
    run = suspend(room.database, room.reach(Stage.SUBMIT))
    for name in ("ben", "cleo", "dan"):
        room.runs.cancel(run.id, actor=name)
    assert asked(room, run.id) == [("run.cancel_requested", "ben")]


def test_of_several_retries_at_once_the_one_that_counts_is_named(room: EngineRoom) -> None:
    names = ["ana", "ben", "cleo"]
    made = room.runs.create(CreateRun(repository="octo/demo"), actor="zoe")
    room.runs.cancel(made.id, actor="zoe")
    found = at_once(3, lambda number: room.runs.retry(made.id, RetryRun(), actor=names[number]))
    (winner,) = (name for name, one in zip(names, found, strict=True) if not isinstance(one, MoonMindError))
    assert asked(room, made.id)[2:] == [("run.retried", winner)]
