"""Who is served: every route is tried with and without a token, so that a new one cannot be forgotten; then each refusal."""

import os
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from starlette.types import Scope
from starlette.websockets import WebSocketDisconnect

from api_service.app import create_app
from api_service.peers import OwnerOf

TOKEN = "a-token-of-good-length"
RUNS = "/api/workflows/speckit/runs"
Connect = Callable[..., TestClient]


def addresses() -> Iterator[tuple[str, str]]:
    document = create_app().openapi()
    for path, item in document["paths"].items():
        for method in item:
            yield (
                method.upper(),
                path.replace("{run_id}", "0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11").replace("{path}", "x"),
            )
    yield "GET", "/api/workflows/speckit/openapi.json"
    yield "GET", "/no/such/address"


ADDRESSES = list(addresses())


@pytest.fixture
def strict(connect: Connect) -> TestClient:
    """A client without a token of a server that wants one."""
    return connect(MOONMIND_API_TOKEN=TOKEN)


REFUSED = (401, "unauthorized"), (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_every_address_is_guarded(strict: TestClient, client: TestClient, method: str, path: str) -> None:
    found = strict.request(method, path), client.request(method, path, headers={"X-Forwarded-For": "127.0.0.1"})
    answers = tuple((answer.status_code, answer.json().get("code")) for answer in found)
    assert answers == (((200, None), REFUSED[1]) if path == "/healthz" else REFUSED)


WRONG = (None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}")


@pytest.mark.parametrize("header", WRONG)
def test_what_is_not_the_token_is_refused(strict: TestClient, header: str | None) -> None:
    answer = strict.get(RUNS, headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == REFUSED[0]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text


def test_who_has_the_token_comes_from_anywhere(connect: Connect) -> None:
    client = connect("203.0.113.9", "http://moonmind.example", MOONMIND_API_TOKEN=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "198.51.100.1", "Origin": "http://else.example"}
    assert client.get(RUNS, headers=headers).status_code == 200
    assert client.post(RUNS, json={"repository": "a/b"}, headers=headers).status_code == 202


def test_only_the_life_sign_needs_no_token(connect: Connect) -> None:
    client = connect("203.0.113.9", "http://10.0.0.7", MOONMIND_API_TOKEN=TOKEN)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 401


def test_with_a_token_named_hosts_are_the_only_ones_where_some_are_named(connect: Connect) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    named = {"MOONMIND_API_TOKEN": TOKEN, "MOONMIND_ALLOWED_HOSTS": "moonmind.example"}
    assert connect("203.0.113.9", "https://moonmind.example", **named).get(RUNS, headers=headers).status_code == 200
    assert connect("203.0.113.9", "https://else.example", **named).get(RUNS, headers=headers).status_code == 403


@pytest.mark.parametrize("peer", ["192.0.2.1", "172.17.0.1", "::ffff:192.0.2.1", "testclient", ""])
def test_without_a_token_no_other_machine_is_served(connect: Connect, peer: str) -> None:
    answer = connect(peer).get(RUNS)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_is_served(connect: Connect, peer: str) -> None:
    assert connect(peer).get(RUNS).status_code == 200


PROXIED = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Via",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Forwarded",
    "x_forwarded_for",
    "True-Client-IP",
    "CF-Connecting-IP",
    "CF-Ray",
    "CDN-Loop",
    "Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "X-Original-Forwarded-For",
    "X-Envoy-External-Address",
    "X-Amzn-Trace-Id",
    "X-Azure-ClientIP",
    "X-Remote-User",
    "WL-Proxy-Client-IP",
    "Proxy-Connection",
    "Tailscale-User-Login",
    "Front-End-Https",
]


def test_every_header_that_proxies_add_counts_as_a_proxy(client: TestClient) -> None:
    for header in PROXIED:
        for value in ("1.1 proxy", ""):
            answer = client.get(RUNS, headers={header: value})
            assert answer.status_code == 403, header
            assert "through a proxy" in answer.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
        {"Sec-Fetch-Mode": "cors", "Sec-Ch-Ua-Platform": "Linux", "Upgrade-Insecure-Requests": "1", "DNT": "1"},
        {"Traceparent": "00-0-0-01", "X-Request-ID": "7", "X-Requested-With": "XMLHttpRequest", "Priority": "u=1"},
        {"Cookie": "via=1", "Referer": "http://localhost:8000/forwarded", "Cache-Control": "no-cache"},
    ],
)
def test_headers_of_browsers_and_programs_do_not(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get(RUNS, headers=headers).status_code == 200


def owner(uid: int | None) -> OwnerOf:
    async def answer(_scope: Scope) -> int | None:
        return uid

    return answer


@pytest.mark.parametrize("uid", [None, os.geteuid() + 1, 33, 65534])
def test_without_a_token_no_other_user_is_served(connect: Connect, uid: int | None) -> None:
    answer = connect(owner_of=owner(uid)).get(RUNS)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "MOONMIND_API_TOKEN" in answer.json()["remediation"]


@pytest.mark.parametrize("uid", [0, os.geteuid()])
def test_without_a_token_our_own_user_and_root_are_served(connect: Connect, uid: int) -> None:
    assert connect(owner_of=owner(uid)).get(RUNS).status_code == 200


def test_the_owner_is_looked_up_for_each_request_of_a_connection(connect: Connect) -> None:
    uids = iter([os.geteuid(), os.geteuid() + 1, None, 0])

    async def answer(_scope: Scope) -> int | None:
        return next(uids)

    client = connect(owner_of=answer)
    assert [client.get(RUNS).status_code for _ in range(4)] == [200, 403, 403, 200]


def test_with_a_token_no_owner_is_looked_up(connect: Connect) -> None:
    client = connect(owner_of=owner(None), MOONMIND_API_TOKEN=TOKEN)
    assert client.get(RUNS, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_without_a_token_a_foreign_host_name_is_refused(client: TestClient) -> None:
    answer = client.get(RUNS, headers={"Host": "rebound.example:8000"})
    assert answer.status_code == 403
    assert "MOONMIND_ALLOWED_HOSTS" in answer.json()["remediation"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "box.local"])
def test_local_and_allowed_host_names_are_served(connect: Connect, host: str) -> None:
    client = connect(MOONMIND_ALLOWED_HOSTS="box.local, other.local")
    assert client.get(RUNS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["", "localhost.example", "user@localhost", "localhost/x", "localhost:x", "127.0.0.2", "[::1", "localhost#", "::1"],
)
def test_what_only_looks_like_a_local_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get(RUNS, headers={"Host": host}).status_code == 403


def test_two_host_names_are_refused(client: TestClient) -> None:
    answer = client.get(RUNS, headers=[("Host", "localhost"), ("Host", "rebound.example")])
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://else.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing(client: TestClient, run_id: UUID, headers: dict[str, str]) -> None:
    for address in (RUNS, f"{RUNS}/{run_id}/retry", f"{RUNS}/{run_id}/cancel"):
        assert client.post(address, headers=headers, json={"repository": "a/b"}).status_code == 403
    (run,) = client.get(RUNS).json()["items"]
    assert (run["id"], run["status"]) == (str(run_id), "pending")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost:8000"}, {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}],
)
def test_our_own_page_and_programs_may_change_things(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(RUNS, json={"repository": "a/b"}, headers=headers).status_code == 202


@pytest.mark.parametrize("settings", [{}, {"MOONMIND_API_TOKEN": TOKEN}])
def test_a_websocket_is_closed_at_once(connect: Connect, settings: dict[str, str]) -> None:
    client = connect(**settings)
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(RUNS):
        pass
    assert closed.value.code == 1008
