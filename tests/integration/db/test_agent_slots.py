from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from moonmind.db.unit_of_work import Database
from moonmind.runs.chain import Stage
from moonmind.runs.records import Claim
from tests.support.databases import HOST, at_once, claim_run, event_types, everything, reach, read_run, register_host

OTHER = UUID("00000000-0000-4000-8000-000000000002")


def claimed(database: Database) -> Claim:
    return claim_run(database, reach(database, Stage.SUBMIT).id, Stage.SUBMIT)


def take(database: Database, claim: Claim, limit: int = 2, host: UUID = HOST, fence: int | None = None) -> bool:
    with database.write() as unit:
        return unit.slots.take(claim.run.id, claim.fence if fence is None else fence, host, limit)


def test_a_slot_binds_the_run_to_the_host_and_taking_it_again_changes_nothing(database: Database) -> None:
    register_host(database)
    claim = claimed(database)
    assert take(database, claim)
    assert read_run(database, claim.run.id).agent_host == HOST
    assert event_types(database, claim.run.id)[-1] == "slot.taken"
    before = everything(database)
    assert take(database, claim)
    assert take(database, claim, limit=1)
    assert everything(database) == before


def test_no_more_slots_are_taken_than_there_are_however_many_ask_at_once(database: Database) -> None:
    register_host(database)
    claims = [claimed(database) for _ in range(8)]
    results = at_once(8, lambda number: take(database, claims[number], limit=3))
    assert sorted(map(str, results)) == ["False"] * 5 + ["True"] * 3
    with database.read() as unit:
        assert unit.slots.used(HOST) == 3
        assert unit.slots.used(OTHER) == 0
    bound = [read_run(database, claim.run.id).agent_host for claim in claims]
    assert bound.count(HOST) == 3


def test_a_lost_claim_takes_no_slot(database: Database) -> None:
    register_host(database)
    claim = claimed(database)
    before = everything(database)
    assert not take(database, claim, fence=claim.fence - 1)
    assert everything(database) == before
    assert take(database, claim)
    with database.write() as unit:
        assert unit.claims.return_lease(claim.run.id, claim.fence)
    assert not take(database, claim)


def test_a_freed_slot_is_anyones(database: Database) -> None:
    register_host(database)
    first, second = claimed(database), claimed(database)
    assert take(database, first, limit=1)
    assert not take(database, second, limit=1)
    with database.write() as unit:
        assert unit.slots.free(first.run.id) is True
        assert unit.slots.free(first.run.id) is False
    assert take(database, second, limit=1)


def test_a_run_holds_one_slot_on_the_host_it_took_last(database: Database) -> None:
    register_host(database)
    register_host(database, OTHER)
    claim = claimed(database)
    assert take(database, claim)
    assert take(database, claim, host=OTHER)
    with database.read() as unit:
        assert (unit.slots.used(HOST), unit.slots.used(OTHER)) == (0, 1)


def test_a_host_that_was_never_registered_has_no_slots(database: Database) -> None:
    with pytest.raises(IntegrityError):
        take(database, claimed(database), host=uuid4())
