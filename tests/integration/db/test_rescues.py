from uuid import UUID, uuid4

from sqlalchemy import update

from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.tables import host
from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, RetryMode, RunStatus, WaitingReason
from moonmind.runs.records import Run
from moonmind.runs.retry import CRASH_SPREAD_SECONDS
from tests.support.databases import (
    HOST,
    QUESTION,
    add_run,
    at_once,
    claim_run,
    due,
    event_types,
    let_ask,
    make_due,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
)

OTHER = UUID("00000000-0000-4000-8000-000000000002")


def expire(database: Database, max_crashes: int = 3) -> list[Run]:
    with database.write() as unit:
        return unit.rescues.expire_leases(max_crashes)


def note(database: Database, run: Run, **values: int) -> Run | None:
    with database.write() as unit:
        return unit.dispatch.note(run.id, **values)


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
        assert unit.claims.heartbeat(run.id, claim.fence, 60.0) is None
    again = claim_run(database, run.id)
    assert (again.attempt.id, again.fence, again.run.crashes) == (claim.attempt.id, 2, 1)


def test_the_third_lost_worker_fails_the_run(database: Database) -> None:
    run = reach(database, Stage.SUBMIT)
    for crashes in (1, 2):
        claim_run(database, run.id, Stage.SUBMIT)
        set_columns(database, run.id, lease_until=db_now_plus(-1.0))
        assert [one.crashes for one in expire(database)] == [crashes]
    make_due(database, run.id)
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


def test_stages_that_lost_their_worker_twice_are_taken_up_again_apart(database: Database) -> None:
    runs = [add_run(database) for _ in range(20)]
    for run in runs:
        claim_run(database, run.id)
        set_columns(database, run.id, lease_until=db_now_plus(-1.0), crashes=1)
    once = add_run(database)
    claim_run(database, once.id)
    set_columns(database, once.id, lease_until=db_now_plus(-1.0))
    freed = {run.id: run for run in expire(database)}
    first = freed.pop(once.id)
    assert first.not_before <= first.updated_at
    waits = sorted((run.not_before - run.updated_at).total_seconds() for run in freed.values())
    assert (len(waits), waits[0] >= 0.0, waits[-1] <= CRASH_SPREAD_SECONDS) == (20, True, True)
    assert waits[-1] - waits[0] > CRASH_SPREAD_SECONDS / 4
    # None of them is dispatched, or claimed, before its turn.
    dispatched = due(database)
    with database.read() as unit:
        now = unit.now()
    assert [run_id for run_id in dispatched if freed.get(run_id, first).not_before > now] == []


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
    note(database, fresh)
    suspended = suspend(database, add_run(database), WaitingReason.QUOTA)
    with database.write() as unit:
        assert unit.rescues.release_all_leases() == 1
    assert sorted(due(database)) == sorted([held.id, fresh.id])
    assert (read_run(database, held.id).crashes, event_types(database, held.id)[-1]) == (0, "lease.returned")
    still = read_run(database, suspended.id)
    assert still.dispatch_after == still.not_before == suspended.not_before
    with database.write() as unit:
        assert unit.rescues.release_all_leases() == 0


def test_a_question_that_nobody_answered_ends_the_run(database: Database) -> None:
    def close_unanswered() -> list[Run]:
        with database.write() as unit:
            return unit.rescues.close_unanswered()

    asked = let_ask(database, reach(database, Stage.SUBMIT))
    suspended = suspend(database, add_run(database), WaitingReason.QUOTA)
    assert close_unanswered() == []
    make_due(database, asked.id)
    make_due(database, suspended.id)
    (closed,) = close_unanswered()
    assert closed == read_run(database, asked.id)
    assert (closed.status, closed.waiting_reason, closed.dispatch_after) == (RunStatus.FAILED, None, None)
    assert closed.error is not None
    assert closed.error.code == "unanswered"
    assert QUESTION.text in closed.error.message
    assert f"moonmind retry {asked.id}" in closed.error.remediation
    assert closed.attention is None
    assert event_types(database, asked.id)[-1] == "run.closed"
    assert due(database) == [suspended.id]


def test_a_run_that_waits_for_a_person_outlasts_its_host(database: Database) -> None:
    register_host(database)
    register_host(database, OTHER)
    asked = let_ask(database, reach(database, Stage.SUBMIT))
    set_columns(database, asked.id, agent_host=HOST)
    with database._engine.begin() as connection:
        connection.execute(update(host).where(host.c.id == HOST).values(seen_at=db_now_plus(-301.0)))
    with database.write() as unit:
        assert unit.rescues.silent_hosts(300.0) == []
        assert unit.rescues.give_up_host(HOST) == []
    still = read_run(database, asked.id)
    assert (still.attention, still.waiting_reason, still.crashes) == (
        asked.attention, WaitingReason.NEEDS_ATTENTION, 0
    )  # fmt: skip
    with database.write() as unit:
        assert unit.requests.answer(still, QUESTION, feature_key=None, deadline_seconds=60.0) is not None
    with database.write() as unit:
        assert unit.rescues.silent_hosts(300.0) == [HOST]
        (freed,) = unit.rescues.give_up_host(HOST)
    assert (freed.agent_host, freed.attention) == (None, QUESTION.stored())


def test_an_ended_run_has_its_job_until_its_end_is_seen_or_a_retry_is_asked_for(database: Database) -> None:
    register_host(database)
    register_host(database, OTHER)
    stopped, retried, elsewhere, active = (suspend(database, reach(database, Stage.SUBMIT)) for _ in range(4))
    set_columns(database, elsewhere.id, agent_host=OTHER)
    for run in (stopped, retried, elsewhere):
        set_columns(database, run.id, cancel_requested_at=db_now(), not_before=db_now_plus(-1.0))
    with database._engine.begin() as connection:
        connection.execute(update(host).values(seen_at=db_now_plus(-301.0)))
    with database.write() as unit:
        closed = unit.rescues.close_stranded(300.0)
        assert sorted(run.id for run in closed) == sorted(run.id for run in (stopped, retried, elsewhere))
        assert unit.rescues.close_stranded(300.0) == []
    assert with_jobs(database) == {stopped.id, retried.id}
    with database.write() as unit:
        assert unit.requests.retry(
            retried.id, RetryMode.RESUME_FAILED_TASK, notes=None, deadline_seconds=60.0, chain_id=uuid4()
        )
    assert with_jobs(database) == {stopped.id}
    with database.write() as unit:
        unit.rescues.forget_job(stopped.id)
        unit.rescues.forget_job(active.id)
    assert with_jobs(database) == set()
    assert read_run(database, active.id) == active


def with_jobs(database: Database) -> set[UUID]:
    with database.read() as unit:
        return {run.id for run in unit.rescues.ended_with_job(HOST, 10)}
