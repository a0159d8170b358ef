"""The thread that keeps claims alive, and what a holder learns from it."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.engine.lease import HeldLease, LeaseKeeper, LeaseLost, StopRequested
from moonmind.runs.chain import Stage
from moonmind.runs.records import Claim
from tests.support.databases import add_run, claim_run, due, event_types, read_run, set_columns
from tests.support.engine_room import Outage, complaints
from tests.support.waiting import PATIENCE, until


@pytest.fixture
def keeper(database: Database) -> Iterator[LeaseKeeper]:
    made = LeaseKeeper(database, lease_seconds=60.0, heartbeat_seconds=0.02)
    yield made
    made.close()


@pytest.fixture
def claim(database: Database) -> Claim:
    return claim_run(database, add_run(database).id, lease_seconds=1.0)


def raises(lease: HeldLease) -> type[Exception] | None:
    try:
        lease.check()
    except (LeaseLost, StopRequested) as error:
        return type(error)
    return None


def test_a_kept_lease_is_renewed_until_it_is_let_go(database: Database, keeper: LeaseKeeper, claim: Claim) -> None:
    until_first = claim.run.lease_until
    assert until_first is not None
    with keeper.keep(claim) as lease:
        until(lambda: (read_run(database, claim.run.id).lease_until or until_first) > until_first, "a heartbeat")
        assert raises(lease) is None
    # Another lease shows that a round under way has ended, and then that the thread has been round since.
    other = claim_run(database, add_run(database).id)
    with keeper.keep(other) as second:
        began = second.renewed
        until(lambda: second.renewed > began, "the end of a round under way")
        for cancelled in (claim, other):
            set_columns(database, cancelled.run.id, cancel_requested_at=db_now())
        until(lambda: second.cancelled, "the second lease's heartbeat")
    assert not lease.cancelled


def test_one_thread_renews_all_leases_of_the_process(database: Database, keeper: LeaseKeeper, claim: Claim) -> None:
    other = claim_run(database, add_run(database).id)
    before = set(threading.enumerate())
    with keeper.keep(claim) as first, keeper.keep(other) as second:
        started = (first.renewed, second.renewed)
        until(lambda: first.renewed > started[0] and second.renewed > started[1], "both heartbeats")
        assert [thread.name for thread in set(threading.enumerate()) - before] == ["lease-keeper"]


@pytest.mark.parametrize(("column", "flag"), [("cancel_requested_at", "cancelled"), ("deadline", "overdue")])
def test_the_heartbeat_brings_cancel_and_deadline(
    database: Database, keeper: LeaseKeeper, claim: Claim, column: str, flag: str
) -> None:
    with keeper.keep(claim) as lease:
        assert (lease.cancelled, lease.overdue) == (False, False)
        set_columns(database, claim.run.id, **{column: db_now()})
        until(lambda: getattr(lease, flag), "the heartbeat's word")
        assert raises(lease) is StopRequested
        assert lease.cancelled is not lease.overdue


def test_a_claim_of_a_cancelled_or_late_run_says_so_at_once(database: Database, keeper: LeaseKeeper) -> None:
    run = add_run(database)
    set_columns(database, run.id, cancel_requested_at=db_now(), deadline=db_now_plus(-1.0))
    with keeper.keep(claim_run(database, run.id)) as lease:
        assert (lease.cancelled, lease.overdue) == (True, True)


def test_a_lease_that_another_worker_took_is_lost_for_good(
    database: Database, keeper: LeaseKeeper, claim: Claim
) -> None:
    with keeper.keep(claim) as lease:
        set_columns(database, claim.run.id, fence=claim.fence + 1)
        until(lambda: lease.lost, "the heartbeat's word")
        set_columns(database, claim.run.id, fence=claim.fence)
        assert raises(lease) is LeaseLost


def test_losing_the_lease_weighs_more_than_being_stopped(claim: Claim) -> None:
    assert raises(HeldLease(claim, 60.0, cancelled=True, lost=True)) is LeaseLost


def test_a_lease_is_treated_as_lost_before_another_worker_may_take_it(database: Database, claim: Claim) -> None:
    keeper = LeaseKeeper(Outage(database, times=1000), lease_seconds=0.4, heartbeat_seconds=0.02)
    with keeper.keep(claim) as lease, capture_logs():
        until(lambda: raises(lease) is LeaseLost, "the silence", pause=0.005)
        assert (lease.gone(), lease.lost) == (True, False)
        now, lease_until = now_and_end(database, claim)
        # The claim's lease is a second long, 0.3 of which may pass in silence.
        assert now < lease_until
    keeper.close()


def now_and_end(database: Database, claim: Claim) -> tuple[datetime, datetime]:
    with database.read() as unit:
        run = unit.runs.get(claim.run.id)
        assert run is not None
        assert run.lease_until is not None
        return unit.now(), run.lease_until


def test_a_passing_outage_is_lived_through(database: Database, claim: Claim) -> None:
    line = Outage(database, times=3)
    keeper = LeaseKeeper(line, lease_seconds=60.0, heartbeat_seconds=0.02)
    with capture_logs() as logs, keeper.keep(claim) as lease:
        started = lease.renewed
        until(lambda: lease.renewed > started, "the heartbeat after the outage")
        assert raises(lease) is None
    assert complaints(logs) == ["lease.not_renewed"] * 3
    keeper.close()


def test_whatever_one_renewal_meets_the_other_leases_are_renewed(
    database: Database, keeper: LeaseKeeper, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = claim_run(database, add_run(database).id)
    renew, left = keeper._renew, 2

    def meet(lease: HeldLease) -> None:
        nonlocal left
        if lease.claim is claim and left:
            left -= 1
            raise ZeroDivisionError
        renew(lease)

    monkeypatch.setattr(keeper, "_renew", meet)
    with capture_logs() as logs, keeper.keep(claim) as broken, keeper.keep(other) as healthy:
        started = (broken.renewed, healthy.renewed)
        until(lambda: healthy.renewed > started[1], "the other lease's heartbeat")
        until(lambda: broken.renewed > started[0], "the heartbeat after the defect")
    assert complaints(logs, "run_id") == [("lease.not_renewed", str(claim.run.id))] * 2


def test_time_that_a_sleeping_machine_missed_counts_as_silence(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = HeldLease(claim, 60.0)
    now = time.clock_gettime

    def after_a_sleep(clock: int) -> float:
        return now(clock) + (3600.0 if clock == time.CLOCK_BOOTTIME else 0.0)

    monkeypatch.setattr(time, "clock_gettime", after_a_sleep)
    assert raises(lease) is LeaseLost


def test_silence_is_counted_from_before_the_heartbeat_was_sent(database: Database, claim: Claim) -> None:
    line, sent, go_on = Outage(database), threading.Event(), threading.Event()
    times: list[float] = []

    def before() -> None:
        times.append(time.clock_gettime(time.CLOCK_BOOTTIME))
        sent.set()
        assert go_on.wait(PATIENCE)

    line.before = before
    keeper = LeaseKeeper(line, lease_seconds=60.0, heartbeat_seconds=0.02)
    with keeper.keep(claim) as lease:
        first = lease.renewed
        assert sent.wait(PATIENCE)
        line.before = None
        until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - times[0] > 0.1, "a slow answer")
        keeper._closed = True  # the one heartbeat on its way, and none after it
        go_on.set()
        until(lambda: lease.renewed > first, "its answer", pause=0.001)
        assert lease.renewed <= times[0]
    keeper.close()


def test_a_clean_end_gives_leases_back_and_counts_nothing(
    database: Database, keeper: LeaseKeeper, claim: Claim
) -> None:
    with keeper.keep(claim) as lease:
        keeper.close()
        assert raises(lease) is LeaseLost
        run = read_run(database, claim.run.id)
        assert (run.lease_owner, run.crashes, run.errors) == (None, 0, 0)
        assert due(database) == [run.id]
        assert event_types(database, run.id)[-1] == "lease.returned"
    again = claim_run(database, claim.run.id, Stage.DISCOVER)
    assert (again.attempt.number, again.fence) == (1, claim.fence + 1)


def test_a_second_end_gives_back_only_what_came_after_the_first(database: Database) -> None:
    line, asked = Outage(database), 0

    def count() -> None:
        nonlocal asked
        asked += 1

    keeper = LeaseKeeper(line, lease_seconds=60.0, heartbeat_seconds=60.0)
    early, late = (claim_run(database, add_run(database).id) for _ in range(2))
    with keeper.keep(early):
        keeper.close()
        line.before = count
        keeper.close()
        assert asked == 0
        # A message that was on its way when the end began.
        with keeper.keep(late) as lease:
            assert raises(lease) is LeaseLost
            assert event_types(database, late.run.id)[-1] == "lease.returned"
        keeper.close()
    assert asked == 1
    assert read_run(database, late.run.id).crashes == 0


def test_an_end_without_a_database_is_an_end_all_the_same(database: Database, claim: Claim) -> None:
    keeper = LeaseKeeper(Outage(database, times=1000), lease_seconds=60.0, heartbeat_seconds=60.0)
    with capture_logs() as logs, keeper.keep(claim) as lease:
        keeper.close()
        assert lease.lost
    assert complaints(logs) == ["lease.not_returned"]
    assert read_run(database, claim.run.id).lease_owner == claim.owner
