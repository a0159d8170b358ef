from uuid import UUID

import pytest
from sqlalchemy import update

from moonmind.db.clock import db_now_plus
from moonmind.db.tables import host
from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, RunStatus
from moonmind.runs.records import Run
from tests.support.databases import (
    HOST,
    claim_run,
    due,
    event_types,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
    try_claim,
)

OTHER = UUID("00000000-0000-4000-8000-000000000002")


def silence(database: Database, host_id: UUID) -> None:
    with database._engine.begin() as connection:
        connection.execute(update(host).where(host.c.id == host_id).values(seen_at=db_now_plus(-400.0)))


def silent(database: Database) -> list[UUID]:
    with database.read() as unit:
        return unit.rescues.silent_hosts(300.0)


def give_up(database: Database) -> list[Run]:
    with database.write() as unit:
        return unit.rescues.give_up_host(HOST)


def test_a_host_counts_as_silent_only_while_another_lives_and_runs_are_bound_to_it(database: Database) -> None:
    register_host(database)
    suspend(database, reach(database, Stage.SUBMIT))
    assert silent(database) == []
    silence(database, HOST)
    assert silent(database) == []
    register_host(database, OTHER)
    assert silent(database) == [HOST]
    with database.write() as unit:
        unit.hosts.register(HOST, "a-host")
    assert silent(database) == []
    silence(database, OTHER)
    assert silent(database) == []


def test_the_runs_of_a_silent_host_go_on_elsewhere_in_a_new_attempt(database: Database) -> None:
    register_host(database)
    register_host(database, OTHER)
    run = suspend(database, reach(database, Stage.SUBMIT))
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
        assert unit.slots.used(HOST) == 1  # the held run goes on there, and its agent counts
        lost, following = (one for one in unit.attempts.all(run.id) if one.stage is Stage.SUBMIT)
    assert (lost.state, following.state, following.number) == (AttemptState.FAILED, AttemptState.RETRYING, 2)
    assert lost.error is not None
    assert lost.error.code == "host_lost"
    again = try_claim(database, run.id, Stage.SUBMIT, host_id=OTHER)
    assert again is not None
    assert again.attempt.checkpoint == {"k": 1, "jobKey": "j"}
    assert read_run(database, held.id).lease_owner is not None
    assert give_up(database) == []


def test_a_run_that_loses_host_after_host_fails(database: Database) -> None:
    register_host(database)
    run = suspend(database, reach(database, Stage.SUBMIT))
    set_columns(database, run.id, crashes=2)
    (closed,) = give_up(database)
    assert (closed.status, closed.agent_host) == (RunStatus.FAILED, None)
    assert closed.error is not None
    assert closed.error.code == "worker_lost"
    assert event_types(database, run.id)[-1] == "run.closed"


@pytest.mark.parametrize(("first", "second"), [("bubblewrap", "codex"), ("codex", "docker"), ("docker", "docker")])
def test_an_installation_keeps_to_the_sandbox_that_was_found_first(database: Database, first: str, second: str) -> None:
    with database.read() as uow:
        assert uow.hosts.sandbox() is None
    for kind in (first, second):
        with database.write() as uow:
            assert uow.hosts.keep_sandbox(kind) == first
    with database.write() as uow:
        uow.hosts.forget_sandbox()
        assert uow.hosts.sandbox() is None
        assert uow.hosts.keep_sandbox(second) == second
