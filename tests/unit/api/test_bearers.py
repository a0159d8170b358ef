"""Named tokens over the API: what each may do, and when it may do nothing any more."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api_service import bearers
from api_service.app import create_app
from moonmind.db.clock import db_now
from moonmind.db.tables import api_token
from moonmind.errors import Unavailable
from moonmind.runtime.container import Container
from moonmind.services.tokens import Tokens
from tests.support.databases import add_run, everything
from tests.support.engine_room import Clock, Outage
from tests.support.listener import Listener
from tests.support.peers import ours

RUNS = "/api/workflows/speckit/runs"
EVENTS = "/api/workflows/speckit/events"
SETTING = "a-token-of-good-length"
RUN = "0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11"
Connect = Callable[..., TestClient]
READS = {"GET", "HEAD"}


def routes() -> Iterator[tuple[str, str]]:
    for route in create_app().routes:
        path = str(getattr(route, "path", "")).replace("{run_id}", RUN).replace("{path:path}", "x")
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, path


CHANGING = [
    *((method, path) for method, path in routes() if method not in READS),
    *((method, RUNS) for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")),
    ("POST", "/no/such/address"),
]
READING = [(method, path) for method, path in routes() if method == "GET" and path != EVENTS]


def sent(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def tokens(container: Container, monkeypatch: pytest.MonkeyPatch) -> Tokens:
    """The tokens behind the API, which remembers none of them."""
    monkeypatch.setattr(bearers, "REMEMBERED_SECONDS", 0.0)
    return container.tokens


def let_expire(container: Container, name: str) -> None:
    with container.database._engine.begin() as connection:
        connection.execute(update(api_token).where(api_token.c.name == name).values(expires_at=db_now()))


def test_the_routes_that_change_something_are_known() -> None:
    assert {path.rpartition("/")[2] for method, path in routes() if method == "POST"} >= {"runs", "retry", "cancel"}


@pytest.mark.parametrize(("method", "path"), CHANGING)
def test_a_token_that_may_only_read_changes_nothing(
    connect: Connect, tokens: Tokens, container: Container, method: str, path: str
) -> None:
    run = add_run(container.database)
    text = tokens.create("dash", read_only=True, actor=None).token
    before = everything(container.database)
    for settings in ({}, {"MOONMIND_API_TOKEN": SETTING}):
        client = connect(**settings)
        answer = client.request(method, path.replace(RUN, str(run.id)), headers=sent(text), json={"repository": "a/b"})
        assert (answer.status_code, answer.json()["code"]) == (403, "read_only_token")
        assert "dash" in answer.json()["message"]
    assert everything(container.database) == before


@pytest.mark.parametrize(("method", "path"), READING)
def test_a_token_that_may_only_read_reads_everything(
    connect: Connect, tokens: Tokens, container: Container, method: str, path: str
) -> None:
    text = tokens.create("dash", read_only=True, actor=None).token
    run = add_run(container.database)
    for verb in (method, "HEAD"):
        answer = connect().request(verb, path.replace(RUN, str(run.id)), headers=sent(text))
        assert answer.status_code not in {401, 403}


@pytest.mark.parametrize("settings", [{}, {"MOONMIND_API_TOKEN": SETTING}])
def test_a_token_is_good_from_anywhere_and_for_everything(
    connect: Connect, tokens: Tokens, settings: dict[str, str]
) -> None:
    headers = {**sent(tokens.create("ci", actor=None).token), "X-Forwarded-For": "198.51.100.1"}
    for number, peer in enumerate(("203.0.113.9", "127.0.0.1", "::1", "testclient")):
        client = connect(peer, "http://moonmind.example", **settings)
        assert client.get(RUNS, headers=headers).status_code == 200
        assert client.post(RUNS, json={"repository": f"a/b{number}"}, headers=headers).status_code == 202


def test_named_hosts_are_the_only_ones_for_named_tokens_too(connect: Connect, tokens: Tokens) -> None:
    headers = sent(tokens.create("ci", actor=None).token)
    for host, status in (("moonmind.example", 200), ("else.example", 403), ("localhost", 200)):
        client = connect("203.0.113.9", f"https://{host}", MOONMIND_ALLOWED_HOSTS="moonmind.example")
        assert client.get(RUNS, headers=headers).status_code == status


@pytest.mark.parametrize("settings", [{}, {"MOONMIND_API_TOKEN": SETTING}])
@pytest.mark.parametrize("path", [RUNS, EVENTS, "/readyz", f"{RUNS}/{RUN}/events"])
@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "{good}",
        "Bearer",
        "Bearer ",
        "Basic {good}",
        "Token {good}",
        "Negotiate {good}",
        "Bearer {good}x",
        "Bearer {good} {good}",
        "Bearer,{good}",
        "Bearer mm_" + "A" * 43,
        "Bearer x",
    ],
)
def test_a_wrong_header_is_refused_wherever_it_comes_from(
    connect: Connect, tokens: Tokens, settings: dict[str, str], path: str, header: str
) -> None:
    good = tokens.create("ci", actor=None).token
    answer = connect(**settings).get(path, headers={"Authorization": header.format(good=good)})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert good not in answer.text


def test_two_headers_are_refused_although_each_is_good(connect: Connect, tokens: Tokens) -> None:
    one, other = (tokens.create(name, actor=None).token for name in ("one", "other"))
    for second in (one, other, SETTING, "wrong"):
        headers = [("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {second}")]
        for settings in ({}, {"MOONMIND_API_TOKEN": SETTING}):
            assert connect(**settings).get(RUNS, headers=headers).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("space", [" ", "  "])
def test_the_scheme_is_read_in_any_case(connect: Connect, tokens: Tokens, scheme: str, space: str) -> None:
    text = tokens.create("ci", actor=None).token
    assert connect().get(RUNS, headers={"Authorization": f"{scheme}{space}{text}"}).status_code == 200


def test_a_token_that_ended_is_refused_and_says_why(connect: Connect, tokens: Tokens, container: Container) -> None:
    made = {name: tokens.create(name, expires=timedelta(days=1), actor=None).token for name in ("old", "gone")}
    client = connect()
    assert [client.get(RUNS, headers=sent(text)).status_code for text in made.values()] == [200, 200]
    let_expire(container, "old")
    tokens.revoke("gone")
    answers = [client.get(RUNS, headers=sent(text)) for text in made.values()]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert [answer.json()["message"] for answer in answers] == [
        "the API token old has expired",
        "the API token gone was revoked",
    ]


def test_a_good_token_is_looked_up_once_in_a_while(
    connect: Connect, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = container.tokens.create("ci", actor=None).token
    clock = Clock()
    monkeypatch.setattr(bearers, "time", clock)
    client = connect()
    assert client.get(RUNS, headers=sent(text)).status_code == 200
    container.tokens.revoke("ci")
    clock.now += bearers.REMEMBERED_SECONDS - 0.01
    assert client.get(RUNS, headers=sent(text)).status_code == 200
    clock.now += 0.02
    assert client.get(RUNS, headers=sent(text)).status_code == 401
    assert bearers.REMEMBERED_SECONDS < 5  # as docs/security.md promises


def test_a_new_token_is_good_at_once_though_it_was_tried_before(connect: Connect, container: Container) -> None:
    text = container.tokens.create("ci", actor=None).token
    client = connect()
    assert client.get(RUNS, headers=sent("mm_" + "A" * 43)).status_code == 401
    assert client.get(RUNS, headers=sent(text)).status_code == 200


def test_without_a_header_no_token_is_looked_up(connect: Connect, container: Container) -> None:
    container.tokens.create("ci", actor=None)
    client = connect()
    outage = Outage(container.database)
    outage.times = 1000
    app: Any = client.app
    app.state.container.tokens, kept = Tokens(outage), app.state.container.tokens
    try:
        assert client.get(RUNS).status_code == 200
        answer = client.get(RUNS, headers=sent("mm_" + "A" * 43))
        assert (answer.status_code, answer.json()["code"]) == (503, Unavailable.code)
    finally:
        app.state.container.tokens = kept


def test_with_a_token_setting_a_named_token_does_beside_it(connect: Connect, tokens: Tokens) -> None:
    client = connect("203.0.113.9", "http://10.0.0.7", MOONMIND_API_TOKEN=SETTING)
    text = tokens.create("ci", actor=None).token
    assert [client.get(RUNS, headers=sent(each)).status_code for each in (SETTING, text)] == [200, 200]
    assert client.get(RUNS).status_code == 401


@pytest.mark.parametrize("given", ["Bearer wrong", "Basic eDp5", "Bearer mm_" + "a" * 43])
def test_whether_the_process_lives_is_told_whatever_is_sent_along(container: Container, given: str) -> None:
    app = create_app(container=container, owner_of=ours)
    with TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 50000)) as client:
        assert client.get("/healthz", headers={"Authorization": given}).status_code == 200


# --- a server for other machines -------------------------------------------------------------------------------------


def opened(container: Container) -> TestClient:
    app = create_app(container=container, owner_of=ours, open_at="0.0.0.0")
    return TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 50000))


def test_a_server_for_other_machines_needs_a_token_for_every_request(container: Container, tokens: Tokens) -> None:
    text = tokens.create("ci", actor=None).token
    with opened(container) as client:
        assert (client.get(RUNS).status_code, client.get("/readyz").status_code) == (401, 401)
        assert client.get(RUNS, headers=sent(text)).status_code == 200
        assert client.get("/healthz").status_code == 200
        tokens.revoke("ci")
        assert client.get(RUNS, headers=sent(text)).status_code == 401


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(container: Container) -> FastAPI:
    app = create_app(container=container, owner_of=ours)
    app.state.container = container
    app.state.streams = set()
    return app


@pytest.mark.anyio
@pytest.mark.parametrize("end", ["revoked", "expired"])
@pytest.mark.parametrize("path", [EVENTS, f"{RUNS}/{{run}}/events"])
async def test_a_stream_ends_with_its_token(
    app: FastAPI, container: Container, tokens: Tokens, end: str, path: str
) -> None:
    run = add_run(container.database)
    text = tokens.create("dash", read_only=True, actor=None).token
    listener = Listener(app, path.format(run=run.id), {"Authorization": f"Bearer {text}"})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await listener.until(lambda: "open" in listener.text)
        assert not listener.ended
        tokens.revoke("dash") if end == "revoked" else let_expire(container, "dash")
        await listener.until(lambda: listener.ended)
    assert app.state.streams == set()


@pytest.mark.anyio
async def test_a_stream_goes_on_while_its_token_cannot_be_looked_up(
    app: FastAPI, container: Container, tokens: Tokens
) -> None:
    text = tokens.create("dash", read_only=True, actor=None).token
    outage = Outage(container.database)
    app.state.container.tokens = Tokens(outage)
    try:
        listener = Listener(app, f"{EVENTS}?after=0", {"Authorization": f"Bearer {text}"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen)
            await listener.until(lambda: "open" in listener.text)
            outage.times = 1
            await listener.until(lambda: outage.refused == 1)
            add_run(container.database)
            await listener.until(lambda: "run.created" in listener.text)
            listener.go()
    finally:
        app.state.container.tokens = tokens
