from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, RunStatus
from tests.support.databases import (
    HOST,
    a_wait,
    add_run,
    at_once,
    claim_run,
    event_types,
    events_of,
    everything,
    make_due,
    reach,
    read_run,
    set_columns,
    try_claim,
)

OTHER = UUID("00000000-0000-4000-8000-000000000002")
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def test_a_claim_takes_the_lease_and_starts_the_attempt(database: Database) -> None:
    run = add_run(database)
    chain = uuid4()
    claim = claim_run(database, run.id, owner="me", chain_id=chain, lease_seconds=60.0)
    assert claim.run == read_run(database, run.id)
    assert (claim.fence, claim.owner, claim.cancel_requested, claim.deadline_passed) == (1, "me", False, False)
    assert (claim.run.status, claim.run.lease_owner, claim.run.chain_id) == (RunStatus.RUNNING, "me", chain)
    assert claim.run.lease_until == claim.run.updated_at + timedelta(seconds=60)
    assert (claim.attempt.stage, claim.attempt.number, claim.attempt.state) == (Stage.DISCOVER, 1, AttemptState.STARTED)
    assert claim.attempt.started_at is not None
    assert claim.attempt.checkpoint is None
    started = events_of(database, run.id)[-1]
    assert started.type == "attempt.started"
    assert started.stage is Stage.DISCOVER
    assert started.data == {"attempt": 1, "fence": 1, "chainId": str(chain), "resumed": False}


def test_a_claim_without_a_chain_keeps_the_runs_own(database: Database) -> None:
    run = add_run(database)
    assert claim_run(database, run.id).run.chain_id == run.chain_id


def test_of_many_claims_at_once_one_wins(database: Database) -> None:
    run = add_run(database)
    results = at_once(8, lambda _: try_claim(database, run.id, Stage.DISCOVER))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1
    assert event_types(database, run.id) == ["run.created", "attempt.started"]
    assert read_run(database, run.id).fence == 1


def test_what_is_not_claimable_is_left_as_it_is(database: Database) -> None:
    leased, early, bound = add_run(database), add_run(database), add_run(database)
    claim_run(database, leased.id)
    set_columns(database, early.id, not_before=FAR)
    set_columns(database, bound.id, agent_host=uuid4())
    done = add_run(database)
    with database.write() as unit:
        unit.requests.request_cancel(done.id)
    before = everything(database)
    for one in (leased, early, bound, done):
        assert try_claim(database, one.id, Stage.DISCOVER) is None
    assert try_claim(database, add_run(database).id, Stage.SUBMIT) is None
    assert try_claim(database, uuid4(), Stage.DISCOVER) is None
    after = everything(database)
    assert set(before["attempt"]) <= set(after["attempt"])
    assert set(before["run"]) <= set(after["run"])


def test_a_claim_binds_its_run_to_a_host_and_a_lost_one_does_not(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    with database.write() as unit:
        assert not unit.claims.bind(run.id, claim.fence - 1, OTHER)
        assert unit.claims.bind(run.id, claim.fence, HOST)
    assert read_run(database, run.id).agent_host == HOST
    with database.write() as unit:
        assert unit.claims.return_lease(run.id, claim.fence)
        assert not unit.claims.bind(run.id, claim.fence, OTHER)
    assert read_run(database, run.id).agent_host == HOST


def test_the_host_that_a_run_is_bound_to_may_claim_it(database: Database) -> None:
    run = add_run(database)
    set_columns(database, run.id, agent_host=HOST)
    assert try_claim(database, run.id, Stage.DISCOVER, host_id=uuid4()) is None
    assert try_claim(database, run.id, Stage.DISCOVER) is not None


def test_a_cancel_and_a_passed_deadline_make_a_suspended_run_due(database: Database) -> None:
    cancelled, late = add_run(database), add_run(database)
    set_columns(database, cancelled.id, not_before=FAR, cancel_requested_at=db_now())
    set_columns(database, late.id, not_before=FAR, deadline=db_now_plus(-1.0))
    claim = claim_run(database, cancelled.id)
    assert (claim.cancel_requested, claim.deadline_passed) == (True, False)
    claim = claim_run(database, late.id)
    assert (claim.cancel_requested, claim.deadline_passed) == (False, True)


def test_a_claim_of_a_started_attempt_goes_on_with_it(database: Database) -> None:
    run = add_run(database)
    first = claim_run(database, run.id)
    with database.write() as unit:
        kept = {"jobKey": "j"}
        suspended = unit.outcomes.write(first, a_wait(checkpoint=kept))
    assert suspended is not None
    make_due(database, run.id)
    second = claim_run(database, run.id)
    assert (second.fence, second.attempt.id) == (2, first.attempt.id)
    assert second.attempt.started_at == first.attempt.started_at
    assert second.attempt.checkpoint == kept
    assert (second.run.waiting_reason, second.run.waiting_since, second.run.dispatches) == (None, None, 0)
    assert events_of(database, run.id)[-1].data["resumed"] is True


def test_a_stage_is_passed_when_the_active_run_is_beyond_it(database: Database) -> None:
    run = reach(database, Stage.APPLY)
    with database.read() as unit:
        passed = [unit.claims.passed(run.id, stage) for stage in Stage]
        assert passed == [True, True, False, False, False]
        assert unit.claims.passed(uuid4(), Stage.DISCOVER) is False
    with database.write() as unit:
        unit.requests.request_cancel(run.id)
        assert unit.claims.passed(run.id, Stage.DISCOVER) is False


def test_a_heartbeat_renews_the_lease_and_brings_what_happened(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id, lease_seconds=5.0)
    with database.write() as unit:
        pulse = unit.claims.heartbeat(run.id, claim.fence, 600.0)
    assert pulse is not None
    assert (pulse.cancel_requested, pulse.deadline_passed) == (False, False)
    renewed = read_run(database, run.id)
    assert renewed.lease_until is not None
    assert claim.run.lease_until is not None
    assert renewed.lease_until > claim.run.lease_until + timedelta(seconds=500)
    assert (renewed.event_seq, renewed.updated_at) == (claim.run.event_seq, claim.run.updated_at)
    with database.write() as unit:
        unit.requests.request_cancel(run.id)
    set_columns(database, run.id, deadline=db_now_plus(-1.0))
    with database.write() as unit:
        pulse = unit.claims.heartbeat(run.id, claim.fence, 60.0)
    assert pulse is not None
    assert (pulse.cancel_requested, pulse.deadline_passed) == (True, True)


def test_a_heartbeat_under_a_stale_fence_says_lost_and_writes_nothing(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    before = everything(database)
    with database.write() as unit:
        assert unit.claims.heartbeat(run.id, claim.fence - 1, 60.0) is None
        assert unit.claims.heartbeat(run.id, claim.fence + 1, 60.0) is None
        assert unit.claims.return_lease(run.id, claim.fence + 1) is False
    assert everything(database) == before
    with database.write() as unit:
        assert unit.claims.return_lease(run.id, claim.fence) is True
        assert unit.claims.heartbeat(run.id, claim.fence, 60.0) is None


def test_a_returned_lease_counts_nothing_and_leaves_the_run_due(database: Database) -> None:
    run = add_run(database)
    claim = claim_run(database, run.id)
    with database.write() as unit:
        assert unit.claims.return_lease(run.id, claim.fence) is True
        assert unit.claims.return_lease(run.id, claim.fence) is False
        assert [one.id for one in unit.dispatch.overdue(10)] == [run.id]
    after = read_run(database, run.id)
    assert (after.lease_owner, after.lease_until, after.crashes, after.status) == (None, None, 0, RunStatus.RUNNING)
    assert event_types(database, run.id)[-1] == "lease.returned"
    again = claim_run(database, run.id)
    assert (again.attempt.id, again.fence) == (claim.attempt.id, 2)
