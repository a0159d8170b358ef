"""Workers as people start them: other pools, several at once, SQLite with a broker; and how they end."""

import pytest

from tests.support.engines import assert_published_once
from tests.support.processes import group_of, processes_of
from tests.support.team import Team, new_queue, rabbitmq_url, team
from tests.support.waiting import until

pytestmark = pytest.mark.rabbitmq
FORKING = ("--pool", "processes", "-c", "2")
"""Celery takes the word `prefork` for no choice at all, and uses what the settings name: threads."""


def settings(**more: str) -> dict[str, str]:
    return {
        "CELERY_BROKER_URL": rabbitmq_url(),
        "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
        "SPEC_WORKFLOW_TEST_MODE": "1",
        **more,
    }


@pytest.mark.postgres
@pytest.mark.slow
def test_a_worker_with_forked_children_finishes_runs_stores_results_and_ends_in_order(empty_postgres_url: str) -> None:
    results = "db+" + empty_postgres_url.replace("+psycopg", "")
    with team(**settings(CELERY_RESULT_BACKEND=results)) as members:
        succeeds_and_ends(members, *FORKING, children=2)


@pytest.mark.sqlite
@pytest.mark.slow
@pytest.mark.full
def test_sqlite_and_a_broker_work_together_on_one_host() -> None:
    with team(**settings()) as members:
        succeeds_and_ends(members)


@pytest.mark.sqlite
def test_a_worker_finishes_a_run_that_was_accepted_before_it_came() -> None:
    with team(**settings()) as members:
        members.migrate()
        members.api()
        run_id = members.create()
        members.worker()
        assert_published_once(members, members.succeed(run_id))


def succeeds_and_ends(members: Team, *options: str, children: int = 0) -> None:
    members.migrate()
    worker = members.worker(*options)
    api = members.api()
    assert len(group_of(worker.pid)) == 1 + children
    first = members.succeed(members.create())
    assert_published_once(members, first)
    second = members.succeed(members.create())
    assert second["pullRequestUrl"] == first["pullRequestUrl"]
    assert worker.terminate() == 0, worker.text()
    api.terminate()
    for process in (worker, api):
        assert group_of(process.pid) == []
        assert "Traceback" not in process.text(), process.text()
    until(lambda: processes_of(str(members.folder)) == [], "the end of every process")


@pytest.mark.sqlite
def test_a_worker_with_beat_starts_and_has_nothing_to_send() -> None:
    with team(**settings()) as members:
        members.migrate()
        worker = members.worker("-B")
        until(lambda: "beat: Starting" in worker.text(), "beat", 30)
        assert "Sending due task" not in worker.text()
        assert not list(members.work.rglob("celerybeat-schedule*"))
        worker.terminate()
        until(lambda: group_of(worker.pid) == [], "the end of worker and beat")
