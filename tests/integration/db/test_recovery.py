from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.records import Run
from moonmind.db.tables import host
from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.runs.retry import hint_interval
from tests.support.databases import (
    HOST,
    add_run,
    at_once,
    claim_run,
    enrol,
    event_types,
    everything,
    make_due,
    reach,
    read_run,
    set_columns,
    try_claim,
)

FAR = datetime(2100, 1, 1, tzinfo=UTC)
OTHER = UUID("00000000-0000-4000-8000-000000000002")


def hint(database: Database, run: Run, **values: int) -> Run | None:
    with database.write() as unit:
        return unit.recovery.hint(run.id, **values)


def due(database: Database, limit: int = 100) -> list[UUID]:
    with database.read() as unit:
        return [one.id for one in unit.recovery.due_for_hint(limit)]


def expire(database: Database, max_crashes: int = 3) -> list[Run]:
    with database.write() as unit:
        return unit.recovery.expire_leases(max_crashes)


def park(database: Database, run: Run, reason: WaitingReason = WaitingReason.AGENT, seconds: float = 600.0) -> Run:
    claim = claim_run(database, run.id, run.stage)
    with database.write() as unit:
        if reason is WaitingReason.AGENT:
            assert unit.slots.take(run.id, claim.fence, HOST, 100)
        after = unit.transitions.wait(
            claim, reason, seconds=seconds, until=None, kept={"k": 1}, facts={"job_key": "j"}, renews_deadline=False
        )
    assert after is not None
    return after


# --- hints


def test_a_new_run_is_left_to_its_own_publisher_for_ten_seconds(database: Database) -> None:
    run = add_run(database)
    assert due(database) == []
    set_columns(database, run.id, dispatch_after=db_now_plus(-0.001))
    assert due(database) == [run.id]


def test_only_what_is_due_and_free_is_hinted_the_longest_overdue_first(database: Database) -> None:
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
    assert hint(database, held) is None
    assert everything(database) == before


@pytest.mark.parametrize("hints", [0, 1, 5, 6, 7, 30])
def test_hints_that_nobody_follows_grow_rare(database: Database, hints: int) -> None:
    run = add_run(database)
    set_columns(database, run.id, hints=hints)
    with database.write() as unit:
        now = unit.now()
        after = unit.recovery.hint(run.id)
    assert after is not None
    assert after.hints == hints + 1
    assert after.dispatch_after is not None
    assert abs(after.dispatch_after - now - timedelta(seconds=hint_interval(hints))) < timedelta(seconds=2)
    assert event_types(database, run.id) == ["run.created"]


def test_of_several_publishers_that_saw_one_row_one_goes_on(database: Database) -> None:
    run = add_run(database)
    make_due(database, run.id)
    results = at_once(6, lambda _: hint(database, run, hints=0))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1


def test_an_unconfirmed_hint_does_not_count_and_is_tried_again_soon(database: Database) -> None:
    run = add_run(database)
    set_columns(database, run.id, hints=5)
    hint(database, run)
    with database.write() as unit:
        now = unit.now()
        unit.recovery.unconfirmed(run.id)
    after = read_run(database, run.id)
    assert after.hints == 5
    assert after.dispatch_after is not None
    assert timedelta(seconds=4) < after.dispatch_after - now < timedelta(seconds=7)
    claim_run(database, run.id)
    before = everything(database)
    with database.write() as unit:
        unit.recovery.unconfirmed(run.id)
    assert everything(database) == before


def test_the_next_turn_is_known_so_that_nobody_polls(database: Database) -> None:
    def next_due_in() -> float | None:
        with database.read() as unit:
            return unit.recovery.next_due_in()

    assert next_due_in() is None
    run = add_run(database)
    assert 8 < (next_due_in() or 0) <= 10
    set_columns(database, run.id, not_before=db_now_plus(600.0))
    assert 590 < (next_due_in() or 0) <= 600
    set_columns(database, run.id, deadline=db_now_plus(100.0))
    assert 90 < (next_due_in() or 0) <= 100
    set_columns(database, run.id, cancel_requested_at=db_now(), dispatch_after=db_now_plus(-5.0))
    assert next_due_in() == 0
    claim_run(database, run.id)
    assert next_due_in() is None


# --- expired leases


def test_an_expired_lease_frees_the_run_and_the_same_attempt_goes_on(database: Database) -> None:
    run, held = add_run(database), add_run(database)
    claim = claim_run(database, run.id)
    claim_run(database, held.id)
    set_columns(database, run.id, lease_until=db_now_plus(-0.001))
    (freed,) = expire(database)
    assert freed == read_run(database, run.id)
    assert (freed.lease_owner, freed.crashes, freed.status) == (None, 1, RunStatus.RUNNING)
    assert event_types(database, run.id)[-1] == "lease.expired"
    assert expire(database) == []
    assert due(database) == [run.id]
    with database.write() as unit:
        assert unit.transitions.heartbeat(run.id, claim.fence, 60.0) is None
    again = claim_run(database, run.id)
    assert (again.attempt.id, again.fence, again.run.crashes) == (claim.attempt.id, 2, 1)


def test_the_third_lost_worker_fails_the_run(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    for crashes in (1, 2):
        claim_run(database, run.id, Stage.SUBMIT)
        set_columns(database, run.id, lease_until=db_now_plus(-1.0))
        assert [one.crashes for one in expire(database)] == [crashes]
    claim_run(database, run.id, Stage.SUBMIT)
    set_columns(database, run.id, lease_until=db_now_plus(-1.0), agent_host=HOST, job_key="j")
    (closed,) = expire(database)
    assert closed == read_run(database, run.id)
    assert (closed.status, closed.crashes, closed.lease_owner, closed.dispatch_after) == (
        RunStatus.FAILED,
        3,
        None,
        None,
    )
    assert (closed.agent_host, closed.job_key) == (HOST, "j")
    assert closed.error is not None
    assert closed.error.code == "worker_lost"
    assert event_types(database, run.id)[-2:] == ["attempt.started", "run.closed"]
    with database.read() as unit:
        attempt = unit.attempts.latest(run.id)[1]
    assert (attempt.state, attempt.error) == (AttemptState.FAILED, closed.error)


def test_janitors_that_sweep_at_once_count_each_loss_once(database: Database) -> None:
    runs = [add_run(database) for _ in range(6)]
    for run in runs:
        claim_run(database, run.id)
        set_columns(database, run.id, lease_until=db_now_plus(-1.0))
    set_columns(database, runs[0].id, crashes=2)
    swept = at_once(4, lambda _: expire(database))
    freed = [run for found in swept if not isinstance(found, Exception) for run in found]
    assert [one for one in swept if isinstance(one, Exception)] == []
    assert sorted(run.id for run in freed) == sorted(run.id for run in runs)
    assert read_run(database, runs[0].id).status is RunStatus.FAILED
    assert {read_run(database, run.id).crashes for run in runs[1:]} == {1}
    for run in runs:
        event_types(database, run.id)


def test_an_embedded_start_frees_all_and_counts_nothing(database: Database) -> None:
    held, fresh = add_run(database), add_run(database)
    claim_run(database, held.id)
    hint(database, fresh)
    parked = park_quota(database)
    with database.write() as unit:
        assert unit.recovery.release_all_leases() == 1
    assert sorted(due(database)) == sorted([held.id, fresh.id])
    assert (read_run(database, held.id).crashes, event_types(database, held.id)[-1]) == (0, "lease.returned")
    still = read_run(database, parked.id)
    assert still.dispatch_after == still.not_before == parked.not_before
    with database.write() as unit:
        assert unit.recovery.release_all_leases() == 0


def park_quota(database: Database) -> Run:
    return park(database, add_run(database), WaitingReason.QUOTA)


# --- wakes


def test_a_run_whose_agent_ended_is_woken_once(database: Database) -> None:
    enrol(database)
    run = park(database, reach(database, Stage.SUBMIT))
    with database.read() as unit:
        assert [one.id for one in unit.recovery.parked_on_agent(HOST, 10)] == [run.id]
        assert unit.recovery.parked_on_agent(OTHER, 10) == []
    results = at_once(4, lambda _: wake(database, run))
    assert len([one for one in results if one is not None]) == 1
    after = read_run(database, run.id)
    assert after.dispatch_after == after.not_before + timedelta(seconds=10)
    assert event_types(database, run.id)[-1] == "attempt.woken"
    with database.read() as unit:
        assert unit.recovery.parked_on_agent(HOST, 10) == []
    claim = claim_run(database, run.id, Stage.SUBMIT)
    assert claim.attempt.outputs == {"k": 1}
    assert wake(database, run) is None


def wake(database: Database, run: Run) -> Run | None:
    with database.write() as unit:
        return unit.recovery.wake(run.id)


def test_only_a_wait_for_the_agent_is_woken(database: Database) -> None:
    parked = park_quota(database)
    fresh = add_run(database)
    before = everything(database)
    assert wake(database, parked) is None
    assert wake(database, fresh) is None
    assert everything(database) == before


def test_a_freed_slot_makes_the_oldest_waiter_due_and_the_next_one_another(database: Database) -> None:
    waiting = [park(database, add_run(database), WaitingReason.CAPACITY) for _ in range(3)]
    park_quota(database)

    def wake_capacity(limit: int = 1) -> list[UUID]:
        with database.write() as unit:
            return unit.recovery.wake_capacity(limit)

    assert wake_capacity() == [waiting[0].id]
    assert wake_capacity(5) == [waiting[1].id, waiting[2].id]
    assert wake_capacity() == []
    assert sorted(due(database)) == sorted(one.id for one in waiting)
    assert event_types(database, waiting[0].id)[-1] == "attempt.woken"


# --- hosts


def silence(database: Database, host_id: UUID) -> None:
    with database._engine.begin() as connection:
        connection.execute(update(host).where(host.c.id == host_id).values(seen_at=db_now_plus(-400.0)))


def silent(database: Database) -> list[UUID]:
    with database.read() as unit:
        return unit.recovery.silent_hosts(300.0)


def give_up(database: Database) -> list[Run]:
    with database.write() as unit:
        return unit.recovery.give_up_host(HOST)


def test_a_host_counts_as_silent_only_while_another_lives_and_runs_are_bound_to_it(database: Database) -> None:
    enrol(database)
    park(database, reach(database, Stage.SUBMIT))
    assert silent(database) == []
    silence(database, HOST)
    assert silent(database) == []
    enrol(database, OTHER)
    assert silent(database) == [HOST]
    with database.write() as unit:
        assert unit.hosts.beat(HOST)
    assert silent(database) == []
    silence(database, OTHER)
    assert silent(database) == []


def test_the_runs_of_a_silent_host_go_on_elsewhere_in_a_new_attempt(database: Database) -> None:
    enrol(database)
    enrol(database, OTHER)
    run = park(database, reach(database, Stage.SUBMIT))
    held = reach(database, Stage.SUBMIT)
    claim = claim_run(database, held.id, Stage.SUBMIT)
    with database.write() as unit:
        assert unit.slots.take(held.id, claim.fence, HOST, 10)
    (freed,) = give_up(database)
    assert freed == read_run(database, run.id)
    assert (freed.agent_host, freed.crashes, freed.waiting_reason, freed.job_key) == (None, 1, None, None)
    assert event_types(database, run.id)[-1] == "host.lost"
    assert due(database) == [run.id]
    with database.read() as unit:
        assert unit.slots.used(HOST) == 0
        lost, following = (one for one in unit.attempts.all(run.id) if one.stage is Stage.SUBMIT)
    assert (lost.state, following.state, following.number) == (AttemptState.FAILED, AttemptState.RETRYING, 2)
    assert lost.error is not None
    assert lost.error.code == "host_lost"
    again = try_claim(database, run.id, Stage.SUBMIT, host_id=OTHER)
    assert again is not None
    assert again.attempt.outputs == {"k": 1}
    assert read_run(database, held.id).lease_owner is not None
    assert give_up(database) == []


def test_a_run_that_loses_host_after_host_fails(database: Database) -> None:
    enrol(database)
    run = park(database, reach(database, Stage.SUBMIT))
    set_columns(database, run.id, crashes=2)
    (closed,) = give_up(database)
    assert (closed.status, closed.agent_host) == (RunStatus.FAILED, None)
    assert closed.error is not None
    assert closed.error.code == "worker_lost"
    assert event_types(database, run.id)[-1] == "run.closed"
