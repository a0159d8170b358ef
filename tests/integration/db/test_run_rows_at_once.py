"""Requests for one feature that come at the same moment, by names that no unique index takes for one."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from uuid import uuid4

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.errors import RunActive
from moonmind.runs.machine import RetryMode, RunStatus
from moonmind.runs.records import Run
from tests.integration.db.test_run_rows import end
from tests.support.databases import add_run, at_once, new_run, read_run


@pytest.mark.parametrize(
    "names",
    [
        ("042-x", "specs/042-x"),
        ("specs/042-x", "042"),
        ("042-x", "docs/specs/042-x", "42"),
        ("042", "042-x", "specs/042-x"),
    ],
)
def test_of_requests_for_one_feature_by_other_names_at_once_one_wins(
    database: Database, names: tuple[str, ...]
) -> None:
    def ask(repository: str, number: int) -> Run:
        return add_run(database, repository=repository, requested_key=names[number % len(names)])

    for turn in range(5):
        results = at_once(8, partial(ask, f"octo/cat{turn}"))
        (winner,) = [one for one in results if not isinstance(one, Exception)]
        refused = [one for one in results if isinstance(one, RunActive)]
        assert {one.details["runId"] for one in refused} == {str(winner.id)}
        assert len(refused) == 7


def test_a_request_waits_for_one_that_is_not_written_yet(database: Database) -> None:
    """On PostgreSQL the second looks while the first is not committed; without a lock it sees nothing."""
    begun = Event()

    def second() -> Exception | None:
        begun.wait(30)
        try:
            add_run(database, repository="octo/cat", requested_key="specs/042-x")
        except RunActive as error:
            return error
        return None

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(second)
        with database.write() as unit:
            first = unit.runs.add(new_run(repository="octo/cat", requested_key="042-x"))
            begun.set()
            with pytest.raises(TimeoutError):
                answer.result(0.5)
        refused = answer.result(30)
    assert isinstance(refused, RunActive)
    assert refused.details["runId"] == str(first.id)


@pytest.mark.parametrize("names", [("042", "specs/042-x"), ("specs/042-x", "42"), ("042-x", "docs/specs/042-x")])
def test_a_retry_is_refused_while_another_name_of_the_feature_is_at_work(
    database: Database, names: tuple[str, str]
) -> None:
    ended = end(database, repository="octo/cat", requested_key=names[0])
    working = add_run(database, repository="octo/cat", requested_key=names[1])
    with database.write() as unit, pytest.raises(RunActive) as refused:
        unit.requests.retry(ended.id, RetryMode.RESUME_FAILED_TASK, None, 60.0, uuid4())
    assert refused.value.details["runId"] == str(working.id)
    assert read_run(database, ended.id).status is RunStatus.FAILED


@pytest.mark.parametrize("names", [("042", "specs/042-x"), ("specs/042-x", "42"), ("042-x", "docs/specs/042-x")])
def test_of_a_retry_and_another_request_at_once_one_wins(database: Database, names: tuple[str, str]) -> None:
    for turn in range(5):
        repository = f"octo/cat{turn}"
        ended = end(database, repository=repository, requested_key=names[0])

        def act(number: int, ended: Run = ended, to: str = repository) -> Run | None:
            if number:
                return add_run(database, repository=to, requested_key=names[1])
            with database.write() as unit:
                return unit.requests.retry(ended.id, RetryMode.RESUME_FAILED_TASK, None, 60.0, uuid4())

        results = at_once(2, act)
        assert [isinstance(one, RunActive) for one in results].count(True) == 1, results
