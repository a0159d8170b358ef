"""One error body everywhere."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from moonmind import errors
from moonmind.errors import MoonMindError

RUNS = "/api/workflows/speckit/runs"


def families() -> list[type[MoonMindError]]:
    found = [MoonMindError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", families(), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_becomes_its_status_and_body(
    client: TestClient, raising: Callable[[Exception], str], kind: type[MoonMindError]
) -> None:
    needed = {"seconds": 60.0} if kind is errors.ForgeLimited else {}
    answer = client.get(raising(kind("it went wrong", remediation="Fix it.", field="repository", **needed)))
    assert answer.status_code == kind.http_status
    assert answer.json() == {
        "code": kind.code,
        "message": "it went wrong",
        "remediation": "Fix it.",
        "details": {"field": "repository", **needed},
        "requestId": answer.headers["x-request-id"],
    }
    assert ("retry-after" in answer.headers) == (kind.http_status == 503)


def test_a_defect_is_answered_without_a_trace(client: TestClient, raising: Callable[[Exception], str]) -> None:
    answer = client.get(raising(ZeroDivisionError("secret inner words")))
    assert answer.status_code == 500
    assert answer.json()["code"] == "unexpected"
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert answer.headers["content-security-policy"]
    for leaked in ("secret inner words", "ZeroDivisionError", "Traceback", ".py"):
        assert leaked not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", f"{RUNS}/", 404, "not_found"),
        ("DELETE", RUNS, 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_addresses_and_methods_that_are_not_there_are_problems_too(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remediation"]
    assert ("allow" in answer.headers) == (status == 405)


def test_a_refusal_does_not_repeat_what_was_sent(client: TestClient) -> None:
    answer = client.post(RUNS, json={"repository": ["ghp_" + "x" * 36], "notes": {"deep": "canary"}})
    assert answer.status_code == 422
    assert "ghp_" not in answer.text
    assert "canary" not in answer.text


def test_many_wrong_fields_are_cut(client: TestClient, run_id: UUID) -> None:
    answer = client.post(f"{RUNS}/{run_id}/retry", json={f"field{number}": 1 for number in range(500)})
    assert len(answer.json()["details"]["fields"]) == 20


def test_an_unknown_address_points_to_the_contract(client: TestClient) -> None:
    advice = client.get("/api/runs").json()["remediation"]
    assert "/api/workflows/speckit/openapi.json" in advice
    assert "moonmind runs" not in advice
    assert client.get("/api/workflows/speckit/openapi.json").status_code == 200
