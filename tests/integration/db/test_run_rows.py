from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from moonmind.db.clock import db_now_plus
from moonmind.db.unit_of_work import Database, DuplicateIdempotencyKey
from moonmind.errors import ErrorInfo, RunActive
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState, Close, RetryMode, RunStatus
from moonmind.runs.records import Run, RunFilter
from tests.support.databases import (
    add_run,
    at_once,
    claim_run,
    event_types,
    everything,
    make_due,
    new_run,
    reach,
    read_run,
    set_columns,
)


def end(database: Database, stage: Stage = Stage.DISCOVER, **values: Any) -> Run:
    """Create a run and close it as failed at a stage."""
    run = reach(database, stage, **values)
    claim = claim_run(database, run.id, stage)
    with database.write() as unit:
        closed = unit.outcomes.write(claim, Close(RunStatus.FAILED, AttemptState.FAILED, error=ErrorInfo("x", "y")))
    assert closed is not None
    return closed


def test_a_new_run_is_due_and_its_five_attempts_wait(database: Database) -> None:
    run = add_run(database, repository="Octo/Cat", requested_key="042-x", notes="please\x00")
    assert read_run(database, run.id) == run
    assert (run.status, run.stage, run.fence, run.event_seq) == (RunStatus.PENDING, Stage.DISCOVER, 0, 1)
    assert (run.repository, run.repository_key, run.notes) == ("Octo/Cat", "octo/cat", "please")
    assert run.dispatch_after == run.not_before + timedelta(seconds=10)
    assert run.deadline == run.not_before + timedelta(days=1)
    with database.read() as unit:
        attempts = unit.attempts.latest(run.id)
        assert unit.attempts.all(run.id) == attempts
        assert unit.attempts.results(run.id) == {}
        assert run.not_before <= unit.now()
    assert [one.stage for one in attempts] == list(Stage)
    assert {(one.state, one.number) for one in attempts} == {(AttemptState.WAITING, 1)}
    assert event_types(database, run.id) == ["run.created"]


def test_a_run_that_starts_later_has_the_results_of_the_stages_it_skips(database: Database) -> None:
    results = {Stage.DISCOVER: {"phase": "2"}, Stage.SUBMIT: {"codexTaskId": "t"}}
    run = add_run(database, stage=Stage.APPLY, results=results, feature_key="specs/042-x")
    with database.read() as unit:
        assert unit.attempts.results(run.id) == results
    assert claim_run(database, run.id, Stage.APPLY).run.feature_key == "specs/042-x"


def test_a_busy_request_is_refused_and_names_the_run_in_the_way(database: Database) -> None:
    run = add_run(database, repository="octo/cat")
    before = everything(database)
    with pytest.raises(RunActive) as refused:
        add_run(database, repository="OCTO/Cat")
    assert refused.value.details == {"runId": str(run.id)}
    assert everything(database) == before


@pytest.mark.parametrize("asked", ["042", "42", "042-x", "specs/042-x", "042-x/"])
def test_any_name_of_an_active_runs_feature_is_refused(database: Database, asked: str) -> None:
    run = add_run(database, repository="octo/cat", stage=Stage.SUBMIT, feature_key="specs/042-x")
    with pytest.raises(RunActive) as refused:
        add_run(database, repository="octo/cat", requested_key=asked)
    assert refused.value.details == {"runId": str(run.id)}


@pytest.mark.parametrize(("first", "second"), [("042", "042-x"), ("042-x", "042"), ("x/042-y", "042")])
def test_two_names_that_can_mean_one_feature_are_refused(database: Database, first: str, second: str) -> None:
    add_run(database, repository="octo/cat", requested_key=first)
    with pytest.raises(RunActive):
        add_run(database, repository="octo/cat", requested_key=second)


@pytest.mark.parametrize(
    ("running", "asked"),
    [
        ("specs/001-a", "backend/specs/001-a"),
        ("backend/specs/001-a", "specs/001-a"),
        ("backend/specs/001-a", "frontend/001-a"),
        ("apps/web/specs/001-a", "web/001-a"),
        ("backend/specs/team/x", "frontend/specs/team/x"),
    ],
)
def test_features_of_one_name_in_two_places_run_beside_each_other(database: Database, running: str, asked: str) -> None:
    first = add_run(database, repository="octo/cat", requested_key="", feature_key=running)
    set_columns(database, first.id, requested_key=running.rpartition("/")[2])  # asked for while the name was its own
    add_run(database, repository="octo/cat", requested_key=asked, feature_key=None)
    for spelling in {running, running.replace("specs/", ""), running.rpartition("/")[2]}:
        with pytest.raises(RunActive) as caught:
            add_run(database, repository="octo/cat", requested_key=spelling)
        assert "runId" in caught.value.details


def test_other_features_and_other_repositories_are_not_in_the_way(database: Database) -> None:
    add_run(database, repository="octo/cat", requested_key="042-x")
    add_run(database, repository="octo/cat", requested_key="043-x")
    add_run(database, repository="octo/cat", requested_key="")
    add_run(database, repository="octo/dog", requested_key="042-x")


def test_an_ended_run_is_not_in_the_way(database: Database) -> None:
    end(database, repository="octo/cat", requested_key="042-x", feature_key="specs/042-x")
    add_run(database, repository="octo/cat", requested_key="042-x", feature_key="specs/042-x")


def test_of_many_equal_requests_at_once_one_wins(database: Database) -> None:
    results = at_once(8, lambda _: add_run(database, repository="octo/cat", requested_key="042-x"))
    refused = [one for one in results if isinstance(one, RunActive)]
    (winner,) = [one for one in results if not isinstance(one, Exception)]
    assert len(refused) == 7
    assert {one.details["runId"] for one in refused} == {str(winner.id)}


def test_an_idempotency_key_makes_one_run(database: Database) -> None:
    results = at_once(6, lambda _: add_run(database, idempotency_key="k", request_digest="d"))
    (winner,) = [one for one in results if not isinstance(one, Exception)]
    assert sum(isinstance(one, DuplicateIdempotencyKey) for one in results) == 5
    with database.read() as unit:
        assert unit.runs.find_by_idempotency_key("k") == winner
        assert unit.runs.find_by_idempotency_key("other") is None


def test_a_run_that_is_not_there_is_none(database: Database) -> None:
    with database.read() as unit:
        assert unit.runs.get(uuid4()) is None
        assert unit.attempts.latest(uuid4()) == []


def test_pages_go_from_the_newest_to_the_oldest_and_miss_none(database: Database) -> None:
    made = [add_run(database).id for _ in range(7)]
    same_instant = read_run(database, made[2]).created_at
    for one in made[2:5]:
        set_columns(database, one, created_at=same_instant)
    seen = []
    before = None
    while True:
        with database.read() as unit:
            page = unit.runs.page(RunFilter(), 2, before)
        if not page:
            break
        seen += page
        before = (page[-1].created_at, page[-1].id)
    assert {run.id for run in seen} == set(made)
    assert seen == sorted(seen, key=lambda run: (run.created_at, run.id), reverse=True)


def test_a_page_shows_what_the_filter_says(database: Database) -> None:
    one = add_run(database, repository="octo/cat", stage=Stage.SUBMIT, feature_key="specs/042-cats", requested_key="")
    two = add_run(database, repository="octo/cat", requested_key="043-100%_dogs")
    ended = end(database, repository="octo/dog")

    def shown(**values: Any) -> set[object]:
        with database.read() as unit:
            return {run.id for run in unit.runs.page(RunFilter(**values), 10)}

    assert shown() == {one.id, two.id, ended.id}
    assert shown(status=RunStatus.FAILED) == {ended.id}
    assert shown(repository="OCTO/cat") == {one.id, two.id}
    assert shown(feature_key="specs/042-cats") == shown(feature_key="042-cats") == {one.id}
    assert shown(feature_key="043-100%_dogs") == {two.id}
    assert shown(text="CATS") == {one.id}
    assert shown(text="100%_") == {two.id}
    assert shown(text="%") == {two.id}
    assert shown(text=str(ended.id)) == {ended.id}
    assert shown(status=RunStatus.FAILED, repository="octo/cat") == set()


def test_a_filter_by_feature_tells_places_apart(database: Database) -> None:
    paths = ("specs/001-a", "backend/specs/001-a", "specs/backend/001-a", "x/specs/100%_a", "specs/001-ab")
    made = {path: end(database, repository="octo/cat", feature_key=path, requested_key="").id for path in paths}
    waits = add_run(database, repository="octo/dog", requested_key="specs/001-a").id

    def shown(key: str) -> set[object]:
        with database.read() as unit:
            return {run.id for run in unit.runs.page(RunFilter(feature_key=key), 10)}

    assert shown("001-a") == {made[path] for path in paths[:3]} | {waits}
    assert shown("specs/001-a") == shown("./specs/001-a/") == {made["specs/001-a"], waits}
    assert shown("backend/specs/001-a") == {made["backend/specs/001-a"]}
    assert shown("backend/001-a") == {made["backend/specs/001-a"], made["specs/backend/001-a"]}
    assert shown("100%_a") == {made["x/specs/100%_a"]}
    assert shown("%") == shown("frontend/001-a") == shown("a") == set()


def test_a_run_at_a_stage_of_another_program_is_listed_and_left_to_that_program(database: Database) -> None:
    run = add_run(database)
    make_due(database, run.id)
    with database._engine.begin() as connection:
        connection.execute(
            text("UPDATE run SET stage = 'deploy', waiting_reason = 'weather', waiting_since = created_at")
        )
        connection.execute(text("UPDATE event SET stage = 'deploy', type = 'run.paused'"))
        connection.execute(text("UPDATE attempt SET stage = 'deploy', state = 'paused' WHERE stage = 'submit'"))
    with database.write() as unit:
        (listed,) = unit.runs.page(RunFilter(), 10)
        assert (listed.stage.value, listed.waiting_reason) == ("deploy", "weather")
        assert [(one.stage, one.type) for one in unit.events.after(run.id, 0, 10)] == [("deploy", "run.paused")]
        assert [one.stage for one in unit.attempts.latest(run.id)] == [
            *(stage for stage in Stage if stage is not Stage.SUBMIT),
            "deploy",
        ]
        assert unit.dispatch.overdue(10) == []


def test_the_ended_runs_of_a_feature_are_found_by_any_of_its_names(database: Database) -> None:
    first = end(database, repository="octo/cat", feature_key="specs/042-x")
    second = end(database, repository="octo/cat", feature_key="specs/042-x")
    other = end(database, repository="octo/cat", feature_key="specs/043-y")
    add_run(database, repository="octo/cat", feature_key="specs/042-x", requested_key="42")
    with database.read() as unit:
        for alias in ("42", "042-x", "specs/042-x"):
            assert unit.runs.ended("octo/cat", alias) == [second, first]
        for alias in ("web/specs/042-x", "web/042-x"):
            assert unit.runs.ended("octo/cat", alias) == []
        assert unit.runs.ended("octo/cat", "") == [other, second, first]
        assert unit.runs.ended("octo/cat", "044") == []
        assert unit.runs.ended("octo/dog", "42") == []


def test_the_last_run_that_reached_apply_is_found_whatever_came_of_it(database: Database) -> None:
    cat = {"repository": "octo/cat", "feature_key": "specs/042-x"}
    applied = end(database, Stage.PUBLISH, **cat)
    end(database, Stage.SUBMIT, **cat)
    mine = reach(database, Stage.FINALIZE, requested_key="mine", **cat)

    def last(feature: str, excluding: Run) -> UUID | None:
        with database.read() as unit:
            return unit.runs.last_that_reached(Stage.APPLY, "octo/cat", feature, excluding.id)

    assert last("specs/042-x", mine) == applied.id
    assert last("specs/042-x", applied) == mine.id
    assert last("specs/043-y", mine) is None
    set_columns(database, mine.id, feature_key="specs/043-y")
    refused = end(database, Stage.APPLY, **cat)
    assert last("specs/042-x", mine) == refused.id
    with database.write() as unit:
        unit.requests.retry(
            refused.id, RetryMode.RESTART_FROM_DISCOVERY, notes=None, deadline_seconds=60.0, chain_id=uuid4()
        )
    set_columns(database, refused.id, feature_key="specs/042-x")
    # It starts over: its old try at apply belongs to a plan that is no longer recorded.
    assert last("specs/042-x", mine) == applied.id


def test_files_of_old_ended_runs_are_listed_until_they_are_pruned(database: Database) -> None:
    old, young, active = end(database), end(database), add_run(database)
    set_columns(database, old.id, completed_at=db_now_plus(-2 * 86400.0))
    with database.write() as unit:
        assert [run.id for run in unit.runs.expired_files(1.0, 10)] == [old.id]
        assert {run.id for run in unit.runs.expired_files(0.0, 10)} <= {old.id, young.id}
        assert unit.runs.take_for_pruning(old.id)
        assert not unit.runs.take_for_pruning(old.id)
        assert unit.runs.expired_files(1.0, 10) == []
    assert read_run(database, old.id).pruned_at is not None
    assert read_run(database, active.id).pruned_at is None


def test_a_refused_run_leaves_nothing_of_its_transaction(database: Database) -> None:
    add_run(database, repository="octo/cat")
    before = everything(database)

    def add_both() -> None:
        with database.write() as unit:
            unit.runs.add(new_run(repository="octo/dog"))
            unit.runs.add(new_run(repository="octo/cat"))

    with pytest.raises(RunActive):
        add_both()
    assert everything(database) == before
