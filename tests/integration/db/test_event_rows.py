import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, text, update

from moonmind.db.tables import event, run
from moonmind.db.unit_of_work import Database
from moonmind.runs.records import Event
from tests.support.databases import add_run, at_once, claim_run, events_of, new_run

OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"


def stream(database: Database, after: int = 0, limit: int = 1000) -> list[Event]:
    with database.read() as unit:
        return unit.events.after(None, after, limit)


def arrived(database: Database, count: int, after: int = 0) -> list[Event]:
    """Read the stream until so many events are there: a transaction of any database of the server may hold them up."""
    deadline = time.monotonic() + 30
    while len(found := stream(database, after)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    assert len(found) == count
    return found


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    made = Database(postgres_url)
    yield made
    made.dispose()


def test_the_events_of_a_run_come_after_the_one_received(database: Database) -> None:
    made = add_run(database)
    claim_run(database, made.id)
    first, second = events_of(database, made.id)
    with database.read() as unit:
        assert unit.events.after(made.id, 1, 10) == [second]
        assert unit.events.after(made.id, 0, 1) == [first]
        assert unit.events.after(made.id, 2, 10) == []
        assert unit.events.after(uuid4(), 0, 10) == []
    assert second.created_at >= first.created_at


@pytest.mark.parametrize("after", [2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1])
def test_a_position_beyond_every_event_has_none_after_it(database: Database, after: int) -> None:
    made = add_run(database)
    with database.read() as unit:
        assert unit.events.after(made.id, after, 10) == []
        assert unit.events.after(None, after, 10) == []


def test_events_are_dense_however_many_write_at_once(database: Database) -> None:
    runs = [add_run(database) for _ in range(3)]

    def churn(number: int) -> None:
        mine = runs[number % 3]
        for _ in range(15):
            with database.write() as unit:
                claim = unit.claims.take(
                    mine.id, mine.stage, owner="me", chain_id=None, host_id=uuid4(), lease_seconds=60.0
                )
            if claim is not None:
                with database.write() as unit:
                    assert unit.claims.return_lease(mine.id, claim.fence)

    assert at_once(6, churn) == [None] * 6
    total = sum(len(events_of(database, one.id)) for one in runs)
    assert total > 3 * 15
    assert len(arrived(database, total)) == total


def test_the_stream_goes_on_after_the_last_event_received(database: Database) -> None:
    for _ in range(5):
        add_run(database)
    everything = arrived(database, 5)
    read: list[Event] = []
    while page := stream(database, read[-1].id if read else 0, 2):
        read += page
    assert read == everything


def test_a_place_between_or_behind_the_events_is_that_of_the_one_before_it(database: Database) -> None:
    runs = [add_run(database) for _ in range(3)]
    first, second, third = arrived(database, 3)
    assert stream(database, 10**9) == []
    with database._engine.begin() as connection:
        connection.execute(delete(run).where(run.c.id == runs[1].id))
    assert stream(database, second.id) == [third]
    assert stream(database, first.id) == [third]
    assert stream(database, 0) == [first, third]


def test_the_last_event_of_the_stream_is_where_what_happens_next_begins(database: Database) -> None:
    def last() -> int:
        with database.read() as unit:
            return unit.events.last_id()

    assert last() == 0
    add_run(database)
    add_run(database)
    before = arrived(database, 2)
    assert last() == before[-1].id
    add_run(database)
    arrived(database, 3)
    (after,) = stream(database, before[-1].id)
    assert last() == after.id


@pytest.mark.postgres
def test_the_last_event_is_the_last_of_the_order_and_not_the_greatest(postgres: Database) -> None:
    with postgres.write() as slow:
        slow._connection.execute(text("SELECT pg_current_xact_id()"))
        with postgres.write() as quick:
            quick.runs.add(new_run())
        slow.runs.add(new_run())
    late, early = arrived(postgres, 2)
    assert late.id > early.id
    with postgres.read() as unit:
        assert unit.events.last_id() == early.id


@pytest.mark.postgres
def test_the_stream_misses_no_event_of_a_transaction_that_commits_late(postgres: Database) -> None:
    database = postgres
    late, early = new_run(), new_run()
    with database.write() as slow:
        slow.runs.add(late)
        with database.write() as quick:
            quick.runs.add(early)
        assert stream(database) == []
    first = arrived(database, 2)
    assert [event.run_id for event in first] == [late.id, early.id]
    # The other way about: the number of the row is taken first, the transaction with the older number ends last.
    with database.write() as slow:
        slow._connection.execute(text("SELECT pg_current_xact_id()"))
        with database.write() as quick:
            quick.runs.add(early_again := new_run())
        assert stream(database, first[-1].id) == []
        slow.runs.add(late_again := new_run())
    second = arrived(database, 2, first[-1].id)
    assert [event.run_id for event in second] == [late_again.id, early_again.id]
    assert second[0].id > second[1].id
    third = stream(database, second[0].id)
    assert third == second[1:]
    assert stream(database, second[1].id) == []


@pytest.mark.postgres
def test_a_dump_restored_into_another_server_streams_again_as_the_operations_page_says(postgres: Database) -> None:
    add_run(postgres)
    add_run(postgres)
    before = arrived(postgres, 2)
    with postgres._engine.begin() as connection:
        connection.execute(update(event).values(transaction_number=event.c.transaction_number + 2**40))
    assert stream(postgres) == []
    (statement,) = re.findall(r"```sql\n(.+?)\n```", OPERATIONS.read_text())
    with postgres._engine.begin() as connection:
        connection.execute(text(statement))
    assert [found.id for found in stream(postgres)] == [found.id for found in before]
    add_run(postgres)
    arrived(postgres, 1, before[-1].id)


@pytest.mark.postgres
def test_a_reader_that_follows_the_stream_sees_every_event_once(postgres: Database) -> None:
    database = postgres
    seen: list[Event] = []

    def follow_or_write(number: int) -> None:
        if number:
            for _ in range(25):
                add_run(database)
            return
        deadline = time.monotonic() + 60
        while len(seen) < 150:
            assert time.monotonic() < deadline
            seen.extend(stream(database, seen[-1].id if seen else 0, 7))

    results = at_once(7, follow_or_write)
    assert results == [None] * 7
    assert len({event.id for event in seen}) == len(seen) == 150
