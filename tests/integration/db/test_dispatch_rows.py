from datetime import UTC, datetime, timedelta

import pytest

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.runs.records import Run
from moonmind.runs.retry import dispatch_interval
from tests.support.databases import (
    add_run,
    at_once,
    claim_run,
    due,
    event_types,
    everything,
    make_due,
    read_run,
    set_columns,
)

FAR = datetime(2100, 1, 1, tzinfo=UTC)


def note(database: Database, run: Run, **values: int) -> Run | None:
    with database.write() as unit:
        return unit.dispatch.note(run.id, **values)


def test_a_new_run_is_left_to_its_own_dispatcher_for_ten_seconds(database: Database) -> None:
    run = add_run(database)
    assert due(database) == []
    set_columns(database, run.id, dispatch_after=db_now_plus(-0.001))
    assert due(database) == [run.id]


def test_only_what_is_due_and_free_is_dispatched_the_longest_overdue_first(database: Database) -> None:
    first, second, early, held = (add_run(database) for _ in range(4))
    claim_run(database, held.id)
    for number, one in enumerate((first, second, early, held)):
        set_columns(database, one.id, dispatch_after=db_now_plus(number - 100.0))
    set_columns(database, early.id, not_before=FAR)
    assert due(database) == [first.id, second.id]
    assert due(database, 1) == [first.id]
    set_columns(database, early.id, cancel_requested_at=db_now())
    assert due(database) == [first.id, second.id, early.id]
    set_columns(database, early.id, cancel_requested_at=None, deadline=db_now_plus(-1.0))
    assert due(database) == [first.id, second.id, early.id]
    before = everything(database)
    assert note(database, held) is None
    assert everything(database) == before


@pytest.mark.parametrize("dispatches", [0, 1, 5, 6, 7, 30])
def test_dispatches_that_no_worker_follows_grow_rare(database: Database, dispatches: int) -> None:
    run = add_run(database)
    set_columns(database, run.id, dispatches=dispatches)
    with database.write() as unit:
        now = unit.now()
        after = unit.dispatch.note(run.id)
    assert after is not None
    assert after.dispatches == dispatches + 1
    assert after.dispatch_after is not None
    assert abs(after.dispatch_after - now - timedelta(seconds=dispatch_interval(dispatches))) < timedelta(seconds=2)
    assert event_types(database, run.id) == ["run.created"]


def test_of_several_processes_that_saw_one_row_one_dispatches(database: Database) -> None:
    run = add_run(database)
    make_due(database, run.id)
    results = at_once(6, lambda _: note(database, run, dispatches=0))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1


def test_an_unconfirmed_dispatch_does_not_count_and_is_tried_again_soon(database: Database) -> None:
    run = add_run(database)
    set_columns(database, run.id, dispatches=5)
    note(database, run)
    with database.write() as unit:
        now = unit.now()
        unit.dispatch.unconfirmed(run.id)
    after = read_run(database, run.id)
    assert after.dispatches == 5
    assert after.dispatch_after is not None
    assert timedelta(seconds=4) < after.dispatch_after - now < timedelta(seconds=7)
    claim_run(database, run.id)
    before = everything(database)
    with database.write() as unit:
        unit.dispatch.unconfirmed(run.id)
    assert everything(database) == before


def test_a_first_dispatch_may_be_left_to_the_next_sweep(database: Database) -> None:
    run = add_run(database)
    with database.write() as unit:
        unit.dispatch.dispatch_now(run.id)
    assert due(database) == [run.id]
    assert event_types(database, run.id) == ["run.created"]
