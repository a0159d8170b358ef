"""The routes of runs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from moonmind.db.clock import db_now
from moonmind.db.unit_of_work import Database
from moonmind.runs.machine import RunStatus
from tests.support.databases import (
    QUESTION,
    add_run,
    claim_run,
    event_types,
    events_of,
    let_ask,
    read_run,
    set_columns,
)

RUNS = "/api/workflows/speckit/runs"
BODY = {"repository": "moonmind/spec-kit-reference", "featureKey": "spec-42-refresh-docs"}


def test_the_quickstarts_request_is_accepted_and_answered_with_the_run(client: TestClient) -> None:
    answer = client.post(RUNS, json=BODY)
    run = answer.json()
    assert answer.status_code == 202
    assert run["status"] == "pending"
    assert run["featureKey"] == "spec-42-refresh-docs"
    assert run["createdAt"].endswith("Z")
    assert [task["taskName"] for task in run["tasks"]] == ["discover", "submit", "apply", "publish", "finalize"]
    assert client.get(answer.headers["location"]).json() == run


def test_a_second_run_of_an_active_feature_is_a_conflict_that_names_the_first(client: TestClient) -> None:
    first = client.post(RUNS, json=BODY).json()
    answer = client.post(RUNS, json=BODY)
    assert answer.status_code == 409
    assert answer.json()["code"] == "run_active"
    assert answer.json()["details"] == {"runId": first["id"]}
    assert answer.json()["remediation"]


def test_an_idempotency_key_starts_one_run_only(client: TestClient) -> None:
    headers = {"Idempotency-Key": "build-17"}
    first = client.post(RUNS, json=BODY, headers=headers)
    second = client.post(RUNS, json=BODY, headers=headers)
    other = client.post(RUNS, json={**BODY, "notes": "again"}, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "ümlaut"])
def test_an_idempotency_key_is_short_and_visible(client: TestClient, key: str) -> None:
    answer = client.post(RUNS, json=BODY, headers={b"Idempotency-Key": key.encode()})
    assert answer.status_code == 422
    (field,) = answer.json()["details"]["fields"]
    assert field["field"] == "Idempotency-Key"
    assert field["message"] == "must be 1 to 200 visible ASCII characters, without spaces"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "repository"),
        ({"repository": "no-slash"}, "repository"),
        ({"repository": "a/.."}, "repository"),
        ({"repository": "-a/b"}, "repository"),
        ({**BODY, "featureKey": "x" * 121}, "featureKey"),
        ({**BODY, "featureKey": "x/" * 257}, "featureKey"),
        ({**BODY, "featureKey": "a\0b"}, "featureKey"),
        ({**BODY, "featureKey": "specs/../x"}, "featureKey"),
        ({**BODY, "featureKey": "/specs/x"}, "featureKey"),
        ({**BODY, "featureKey": "specs\\x"}, "featureKey"),
        ({**BODY, "notes": "x" * 1025}, "notes"),
        ({**BODY, "forcePhase": "finalize"}, "forcePhase"),
        ({**BODY, "select": {"story": "first"}}, "select.story"),
        ({**BODY, "select": {"tasks": ["T001-"]}}, "select.tasks"),
        ({**BODY, "select": {"skip": [""]}}, "select.skip"),
        ({**BODY, "select": {"task": ["T001"]}}, "select.task"),
        ({**BODY, "kind": "ticks", "select": {"tasks": ["T001"], "commit": "main"}}, "select.commit"),
        ({**BODY, "kind": "ticks", "select": {"tasks": ["T001"], "commit": "A" * 40}}, "select.commit"),
        ({**BODY, "feature_key": "both"}, "feature_key"),
        ({**BODY, "surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_body_is_refused_and_the_field_is_named(client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = client.post(RUNS, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert field in [each["field"] for each in answer.json()["details"]["fields"]]


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"repository": "\\ud800/b"}'])
def test_what_is_no_request_at_all_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post(RUNS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"


def test_a_listing_is_newest_first_and_leaves_tasks_and_artifacts_out(client: TestClient) -> None:
    ids = [client.post(RUNS, json={"repository": f"a/r{number}"}).json()["id"] for number in range(3)]
    first = client.get(RUNS, params={"limit": 2}).json()
    second = client.get(RUNS, params={"limit": 2, "cursor": first["nextCursor"]}).json()
    assert [run["id"] for run in first["items"] + second["items"]] == ids[::-1]
    assert second["nextCursor"] is None
    assert {(run["tasks"], run["artifacts"]) for run in first["items"]} == {(None, None)}


def test_a_listing_is_filtered(client: TestClient, run_id: UUID, database: Database) -> None:
    claim_run(database, run_id)
    other = client.post(RUNS, json={"repository": "a/b"}).json()["id"]
    found = {
        query: [run["id"] for run in client.get(f"{RUNS}?{query}").json()["items"]]
        for query in ("status=running", "repository=a/b", "featureKey=spec-42", "q=moonmind")
    }
    assert found == {
        "status=running": [str(run_id)],
        "repository=a/b": [other],
        "featureKey=spec-42": [str(run_id)],
        "q=moonmind": [str(run_id)],
    }


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "status=done", "q=%00", "repository=" + "x" * 201]
)
def test_a_wrong_query_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"{RUNS}?{query}")
    assert answer.status_code == 422
    (wrong,) = answer.json()["details"]["fields"]
    assert (wrong["in"], wrong["field"]) == ("query", query.partition("=")[0])


def test_a_run_shows_what_was_asked_for(client: TestClient, run_id: UUID) -> None:
    whole = client.get(f"{RUNS}/{run_id}").json()
    bare = client.get(f"{RUNS}/{run_id}?includeTasks=false&includeArtifacts=false").json()
    assert len(whole["tasks"]) == 5
    assert whole["artifacts"] == []
    assert (bare["tasks"], bare["artifacts"]) == (None, None)
    assert bare["id"] == whole["id"]


def test_tasks_are_the_latest_attempts_or_all(client: TestClient, run_id: UUID) -> None:
    assert len(client.get(f"{RUNS}/{run_id}/tasks").json()) == 5
    client.post(f"{RUNS}/{run_id}/cancel")
    client.post(f"{RUNS}/{run_id}/retry")
    assert len(client.get(f"{RUNS}/{run_id}/tasks").json()) == 6
    assert len(client.get(f"{RUNS}/{run_id}/tasks?attempts=all").json()) == 7
    assert client.get(f"{RUNS}/{run_id}/tasks?attempts=some").status_code == 422


@pytest.mark.parametrize("place", ["", "/tasks", "/artifacts", "/events", "/artifacts/log.txt"])
def test_an_unknown_run_is_not_found_anywhere(client: TestClient, place: str) -> None:
    answer = client.get(f"{RUNS}/{uuid4()}{place}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_id_that_is_none_is_refused(client: TestClient) -> None:
    answer = client.get(f"{RUNS}/17")
    assert (answer.status_code, answer.json()["details"]["fields"][0]["field"]) == (422, "run_id")


def test_an_ended_run_is_retried(client: TestClient, run_id: UUID) -> None:
    client.post(f"{RUNS}/{run_id}/cancel")
    answer = client.post(f"{RUNS}/{run_id}/retry", json={"mode": "resume_failed_task", "notes": "Credentials fixed"})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["notes"]) == ("retrying", "Credentials fixed")


def test_a_retry_without_a_body_resumes(client: TestClient, database: Database, run_id: UUID) -> None:
    client.post(f"{RUNS}/{run_id}/cancel")
    assert client.post(f"{RUNS}/{run_id}/retry").status_code == 202
    assert events_of(database, run_id)[-1].data["mode"] == "resume_failed_task"


def test_a_run_that_succeeded_is_neither_retried_nor_cancelled(
    client: TestClient, database: Database, run_id: UUID
) -> None:
    set_columns(database, run_id, status=RunStatus.SUCCEEDED, completed_at=db_now())
    for act, code in (("retry", "not_retryable"), ("cancel", "not_cancellable")):
        answer = client.post(f"{RUNS}/{run_id}/{act}")
        assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_a_run_that_goes_on_is_not_retried(client: TestClient, run_id: UUID) -> None:
    answer = client.post(f"{RUNS}/{run_id}/retry", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_retryable")
    assert client.post(f"{RUNS}/{run_id}/retry", json={"mode": "again"}).status_code == 422


def test_a_cancel_may_be_repeated(client: TestClient, run_id: UUID) -> None:
    for _ in range(2):
        answer = client.post(f"{RUNS}/{run_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "text/json; charset=utf-8"])
def test_a_body_that_is_not_sent_as_json_is_told_how_to_be(client: TestClient, run_id: UUID, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    for place in ("", f"/{run_id}/retry"):
        answer = client.post(f"{RUNS}{place}", content=b'{"repository": "a/b"}', headers=headers)
        assert answer.status_code == 422
        assert "send Content-Type: application/json" in answer.json()["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/problem+json"])
def test_json_may_be_sent_under_its_other_names(client: TestClient, kind: str) -> None:
    answer = client.post(RUNS, content=b'{"repository": "a/b"}', headers={"Content-Type": kind})
    assert answer.status_code == 202


def test_a_misspelt_filter_is_refused_by_name(client: TestClient, run_id: UUID) -> None:
    answer = client.get(f"{RUNS}?feature_key=x&page=2&limit=5")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["details"]["fields"]] == ["feature_key", "page"]
    assert "feature_key, page" in answer.json()["message"]
    assert "featureKey" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**BODY, "notes": "x" * 1025}, "notes: at most 1024 characters"),
        ({**BODY, "featureKey": "x" * 121}, "featureKey: at most 120 characters"),
        ({**BODY, "forcePhase": "finalize"}, "forcePhase: must be 'discover', 'submit', 'apply' or 'publish'"),
        ({**BODY, "surprise": 1}, "surprise: unknown field"),
        ({}, "repository: is required"),
        ({"repository": 7}, "repository: must be a string"),
        ([], "body: must be a JSON object"),
    ],
)
def test_refusals_are_in_words_for_people(client: TestClient, body: Any, said: str) -> None:
    message = client.post(RUNS, json=body).json()["message"]
    assert said in message
    for jargon in ("Value error", "items after validation", "Input should", "String should"):
        assert jargon not in message


def test_a_run_lists_its_artifacts_under_the_types_they_are_sent_as(
    client: TestClient, keep: Callable[..., None], run_id: UUID
) -> None:
    keep(run_id, "apply/change.patch", b"diff", "text/x-diff")
    (listed,) = client.get(f"{RUNS}/{run_id}").json()["artifacts"]
    assert listed["contentType"] == "text/plain; charset=utf-8"


# --- answers -------------------------------------------------------------------------------------------------------


def test_an_answer_is_accepted_and_a_second_one_is_told_of_it(client: TestClient, database: Database) -> None:
    run_id = let_ask(database, add_run(database), QUESTION).id
    shown = client.get(f"{RUNS}/{run_id}").json()
    assert shown["attention"] == {
        "question": shown["attention"]["question"],
        "kind": QUESTION.kind,
        "text": QUESTION.text,
        "options": [{"value": one.value, "text": one.text} for one in QUESTION.options],
        "until": shown["waiting"]["until"],
    }
    named = {"question": shown["attention"]["question"]}
    first = client.post(f"{RUNS}/{run_id}/answer", json={"choice": "go", "why": "it may", **named})
    assert (first.status_code, first.json()["attention"], first.json()["waiting"]) == (202, None, None)
    second = client.post(f"{RUNS}/{run_id}/answer", json={"choice": "stop"})
    assert (second.status_code, second.json()["code"]) == (409, "answer_not_awaited")
    assert second.json()["details"]["awaited"] is None
    assert second.json()["details"]["answered"]["choice"] == "go"
    assert event_types(database, run_id)[-1] == "run.answered"


def test_a_wrong_answer_is_a_conflict_that_says_what_is_awaited(client: TestClient, database: Database) -> None:
    run_id = let_ask(database, add_run(database), QUESTION).id
    answer = client.post(f"{RUNS}/{run_id}/answer", json={"choice": "stay"})
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_not_awaited")
    assert answer.json()["details"]["awaited"] == client.get(f"{RUNS}/{run_id}").json()["attention"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "exactly one of choice, text, approve and reject is the answer"),
        ({"why": "because"}, "exactly one of"),
        ({"approve": None, "reject": None}, "sent: none"),
        ({"choice": "go", "text": "go"}, "sent: choice and text"),
        ({"approve": True, "reject": True}, "sent: approve and reject"),
        ({"approve": False}, "approve: must be true or left out; the other answer is `reject: true`"),
        ({"choice": "go", "reject": False}, "reject: must be true or left out; the other answer is `approve: true`"),
        ({"approve": "yes"}, "must be true or left out"),
        ({"approve": 1}, "must be true or left out"),
        ({"choice": "go", "by": "ana"}, "unknown field"),
        ({"choice": ""}, "must not be empty"),
        ({"choice": "x" * 513}, "at most 512 characters"),
        ({"text": "x" * 1025}, "at most 1024 characters"),
        ({"choice": "go", "why": "x" * 501}, "at most 500 characters"),
        ({"choice": "a\0b"}, "U+0000"),
        ({"choice": 3}, "must be a string"),
        ({"choice": "go", "question": "1"}, "must be a whole number"),
        ({"choice": "go", "question": True}, "must be a whole number"),
        ({"choice": "go", "question": -1}, "must be 0 or more"),
        (["go"], "must be a JSON object"),
    ],
)
def test_a_body_that_is_no_answer_is_refused(client: TestClient, database: Database, body: object, said: str) -> None:
    run = let_ask(database, add_run(database), QUESTION)
    answer = client.post(f"{RUNS}/{run.id}/answer", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert said in answer.json()["message"]
    assert read_run(database, run.id) == run
