"""What happens to every request before a route sees it."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from structlog.testing import LogCapture

from api_service.middleware import BODY_LIMIT
from moonmind.os_user import own_name

RUNS = "/api/workflows/speckit/runs"


def test_a_sane_request_id_is_kept(client: TestClient) -> None:
    assert client.get(RUNS, headers={"X-Request-ID": "build-17.retry_2"}).headers["x-request-id"] == "build-17.retry_2"


@pytest.mark.parametrize("asked", ["", "x" * 65, "two words", "a\tb", "<script>", 'a"b'])
def test_any_other_request_id_is_replaced(client: TestClient, asked: str) -> None:
    given = client.get(RUNS, headers={"X-Request-ID": asked}).headers["x-request-id"]
    assert given != asked
    assert len(given) == 32


def test_one_line_tells_of_each_request_with_its_id(client: TestClient, lines: LogCapture) -> None:
    client.get(f"{RUNS}?limit=5", headers={"X-Request-ID": "r1"})
    (line,) = [entry for entry in lines.entries if entry["event"] == "request.served"]
    assert (line["method"], line["path"], line["status"], line["request_id"]) == ("GET", RUNS, 200, "r1")
    assert line["milliseconds"] >= 0
    assert line["actor"] == own_name()


def test_the_id_reaches_what_a_route_logs_in_its_thread(
    client: TestClient, raising: Callable[[Exception], str], lines: LogCapture
) -> None:
    client.get(raising(ZeroDivisionError()), headers={"X-Request-ID": "r2"})
    (line,) = [entry for entry in lines.entries if entry["event"] == "request.crashed"]
    assert line["request_id"] == "r2"
    assert line["exc_info"]


@pytest.mark.parametrize("path", [RUNS, "/healthz", "/nowhere"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_refusals_have_the_security_headers_too(connect: Callable[..., TestClient]) -> None:
    answer = connect("192.0.2.1").get(RUNS)
    assert answer.status_code == 403
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_at_the_limit_is_read_and_one_above_it_is_not(client: TestClient) -> None:
    json = {"Content-Type": "application/json"}
    assert client.post(RUNS, content=b" " * BODY_LIMIT, headers=json).status_code == 422
    answer = client.post(RUNS, content=b" " * (BODY_LIMIT + 1), headers=json)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_the_limit_counts_what_comes_and_not_what_is_announced(client: TestClient) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b" " * (BODY_LIMIT // 16)

    answer = client.post(RUNS, content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_small_body_in_pieces_arrives_whole(client: TestClient) -> None:
    pieces = iter([b'{"reposi', b'tory": ', b'"a/b"}'])
    answer = client.post(RUNS, content=pieces, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["repository"]) == (202, "a/b")


READ = ["", "/{id}", "/{id}/tasks", "/{id}/artifacts", "/{id}/artifacts/codex/log", "/{id}/events", "?limit=0", "/x"]


@pytest.mark.parametrize(
    "path", [*(f"/api/workflows/speckit/runs{each}" for each in READ), "/healthz", "/readyz", "/no"]
)
def test_head_is_answered_like_get_without_the_body(
    client: TestClient, keep: Callable[..., None], run_id: UUID, path: str
) -> None:
    keep(run_id, "codex/log", b"0123456789", "text/plain")
    path = path.replace("{id}", str(run_id))
    read, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (read.status_code, b"")
    alike = ("content-type", "content-length", "accept-ranges", "content-disposition", "content-security-policy")
    if read.is_success:
        assert [head.headers.get(name) for name in alike] == [read.headers.get(name) for name in alike]


@pytest.mark.parametrize("place", ["/events", "/events?after=0", "/runs/{id}/events"])
def test_the_head_of_a_stream_ends_and_takes_no_seat(client: TestClient, run_id: UUID, place: str) -> None:
    path = "/api/workflows/speckit" + place.replace("{id}", str(run_id))
    answer = client.head(path, headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    app: Any = client.app
    assert app.state.streams == set()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, POST"),
        ("/{id}", "GET, HEAD"),
        ("/{id}/tasks", "GET, HEAD"),
        ("/{id}/retry", "POST"),
        ("/{id}/cancel", "POST"),
        ("/{id}/artifacts", "GET, HEAD"),
        ("/{id}/artifacts/some/file", "GET, HEAD"),
        ("/{id}/events", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "PROPFIND", "QUERY"])
def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    client: TestClient, run_id: UUID, path: str, allowed: str, method: str
) -> None:
    answer = client.request(method, "/api/workflows/speckit/runs" + path.replace("{id}", str(run_id)))
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_the_head_of_an_address_that_only_takes_is_refused(client: TestClient, run_id: UUID) -> None:
    answer = client.head(f"/api/workflows/speckit/runs/{run_id}/cancel")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")
