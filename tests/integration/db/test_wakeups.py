from datetime import timedelta
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import WAITS_FOR_JOB, WaitingReason
from moonmind.runs.records import Run
from tests.support.databases import (
    HOST,
    add_run,
    at_once,
    claim_run,
    due,
    event_types,
    events_of,
    everything,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
)

OTHER = UUID("00000000-0000-4000-8000-000000000002")


@pytest.mark.parametrize("reason", sorted(WAITS_FOR_JOB))
def test_a_run_whose_job_ended_is_woken_once(database: Database, reason: WaitingReason) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT), reason)
    set_columns(database, run.id, agent_host=HOST)
    with database.read() as unit:
        assert [one.id for one in unit.wakeups.suspended_on_job(HOST, 10)] == [run.id]
        assert unit.wakeups.suspended_on_job(OTHER, 10) == []
    results = at_once(4, lambda _: wake(database, run))
    assert len([one for one in results if one is not None]) == 1
    after = read_run(database, run.id)
    assert after.dispatch_after == after.not_before + timedelta(seconds=10)
    last = events_of(database, run.id)[-1]
    assert (last.type, last.data) == (EventType.ATTEMPT_WOKEN, {"reason": reason.value})
    with database.read() as unit:
        assert unit.wakeups.suspended_on_job(HOST, 10) == []
    claim = claim_run(database, run.id, Stage.SUBMIT)
    assert claim.attempt.checkpoint == {"k": 1, "jobKey": "j"}
    assert wake(database, run) is None


def wake(database: Database, run: Run) -> Run | None:
    with database.write() as unit:
        return unit.wakeups.wake(run.id)


def test_only_a_wait_for_a_job_is_woken(database: Database) -> None:
    suspended = suspend(database, add_run(database), WaitingReason.QUOTA)
    fresh = add_run(database)
    before = everything(database)
    assert wake(database, suspended) is None
    assert wake(database, fresh) is None
    assert everything(database) == before


def test_a_freed_slot_makes_the_oldest_waiter_due_and_the_next_one_another(database: Database) -> None:
    waiting = [suspend(database, add_run(database), WaitingReason.CAPACITY) for _ in range(3)]
    suspend(database, add_run(database), WaitingReason.QUOTA)

    def wake_capacity(limit: int = 1) -> list[UUID]:
        with database.write() as unit:
            return [run.id for run in unit.wakeups.wake_capacity(limit)]

    assert wake_capacity() == [waiting[0].id]
    assert wake_capacity(5) == [waiting[1].id, waiting[2].id]
    assert wake_capacity() == []
    assert sorted(due(database)) == sorted(one.id for one in waiting)
    assert event_types(database, waiting[0].id)[-1] == "attempt.woken"
