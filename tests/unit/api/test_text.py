"""Text that JSON or a URL can spell and no database can store is the caller's mistake, wherever it stands."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from moonmind.db.unit_of_work import Database
from tests.support.databases import everything

RUNS = "/api/workflows/speckit/runs"
JSON = {"Content-Type": "application/json"}
SOUND: dict[str, Any] = {"repository": "moonmind/other"}

UNSTORABLE = [
    "\ud800",
    "\udfff after it",
    "in the \udc80 middle",
    "\udc00\ud800",
    "\ud83d \ude00",
    "pair \U0001f600 and half \ud83d",
    "\udb40\0",
    "\0",
]


def bodies(text: str) -> dict[str, Any]:
    return {
        "notes": {**SOUND, "notes": text},
        "featureKey": {**SOUND, "featureKey": text},
        "repository": {"repository": text},
        "repository's name": {"repository": f"moonmind/{text}"},
        "forcePhase": {**SOUND, "forcePhase": text},
        "an unknown field": {**SOUND, text: "x"},
        "an unknown field's value": {**SOUND, "x": {text: [text]}},
        "an object for a text": {**SOUND, "notes": {text: {text: text}}},
        "a list for a text": {**SOUND, "notes": [text]},
        "the whole body": text,
        "a list as body": [text],
    }


def crossed(places: Iterable[str]) -> list[tuple[str, str]]:
    """Pair each text with the first place, and each place with half of a surrogate pair and with NUL."""
    first, *others = places
    return [(first, text) for text in UNSTORABLE] + [(place, text) for place in others for text in ("\ud800", "\0")]


@pytest.mark.parametrize(("place", "text"), crossed(bodies("")), ids=ascii)
def test_a_run_with_text_that_cannot_be_stored_is_refused(
    client: TestClient, database: Database, place: str, text: str
) -> None:
    answer = client.post(RUNS, content=json.dumps(bodies(text)[place]), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid_request"
    assert everything(database)["run"] == []


@pytest.mark.parametrize(("field", "text"), crossed(["notes", "mode", "other"]), ids=ascii)
def test_a_retry_with_text_that_cannot_be_stored_is_refused(
    client: TestClient, run_id: UUID, field: str, text: str
) -> None:
    answer = client.post(f"{RUNS}/{run_id}/retry", content=json.dumps({field: text}), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.json()["details"]["fields"][0]["field"] == field


@pytest.mark.parametrize("text", ["\U0001f600", "\u202e", "\ufeff", "\uffff", "\x01\x1b[31m", "\u2028", "e\u0301" * 9])
def test_all_other_text_is_taken(client: TestClient, text: str) -> None:
    answer = client.post(RUNS, content=json.dumps({**SOUND, "notes": text}), headers=JSON)
    assert (answer.status_code, answer.json()["notes"]) == (202, text)


@pytest.mark.parametrize("raw", ["%ED%A0%80", "%ED%BF%BF", "%FF", "%00", "%F0%9F%98", "%C0%80", "a%00b"])
def test_bytes_of_an_address_that_are_no_text_break_nothing(client: TestClient, run_id: UUID, raw: str) -> None:
    for query in (f"q={raw}", f"repository={raw}", f"featureKey={raw}", f"cursor={raw}", f"status={raw}", f"{raw}=1"):
        answer = client.get(f"{RUNS}?{query}")
        assert answer.status_code in {200, 422}, query
    for path in (f"{RUNS}/{raw}", f"{RUNS}/{run_id}/{raw}", f"{RUNS}/{run_id}/artifacts/{raw}", f"/{raw}"):
        for method in ("GET", "POST", "HEAD"):
            assert client.request(method, path).status_code in {404, 405, 422}, (method, path)


@pytest.mark.parametrize("raw", [b"\xed\xa0\x80", b"\xff", b"\x80abc", b"9" * 5000, b"-0", b"1e3", b"NaN", b"0x10"])
def test_bytes_of_a_header_that_are_no_text_break_nothing(client: TestClient, run_id: UUID, raw: bytes) -> None:
    for name in ("Idempotency-Key", "Last-Event-ID", "Range", "X-Request-ID", "Accept"):
        headers = [(name.encode(), raw)]
        assert client.get(f"{RUNS}/{run_id}/events", headers=headers).status_code in {200, 422}, name
        assert client.get(f"{RUNS}/{run_id}/artifacts/x", headers=headers).status_code == 404, name
        assert client.post(RUNS, json=SOUND, headers=headers).status_code in {202, 409, 422}, name


@pytest.mark.parametrize(
    "body",
    [
        b'{"repository": NaN}',
        b'{"repository": 1e999}',
        b'{"repository": ' + b"9" * 5000 + b"}",
        b'{"repository": ' + b"[" * 5000,
        b'{"repository": "a/b", "notes": -Infinity}',
        b"\xff\xfe{}",
        b"\xed\xa0\x80",
        b'{"repository": "\xed\xa0\x80/b"}',
        b'{"' + b"k" * 200_000 + b'": 1, "repository": "a/b"}',
    ],
    ids=range(9),
)
def test_bodies_that_are_hardly_json_are_refused(client: TestClient, body: bytes) -> None:
    answer = client.post(RUNS, content=body, headers=JSON)
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 2000
