from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from moonmind.demo.http_client import Client, HttpSource
from moonmind.errors import Conflict, External, InvalidRequest, MoonMindError, NotFound, Unavailable
from moonmind.wire import RunPage
from tests.support.terminal import a_run

RUN = uuid4()


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer))


def test_a_run_is_asked_for_with_the_quickstarts_own_body() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, content=a_run().model_dump_json(by_alias=True))

    with client(answer) as server:
        run = server.create("moonmind/spec-kit-reference", "spec-42-refresh-docs")
    assert run == a_run()
    assert asked[0].url.path == "/api/workflows/speckit/runs"
    assert asked[0].read() == b'{"repository":"moonmind/spec-kit-reference","featureKey":"spec-42-refresh-docs"}'


def test_the_newest_run_is_the_first_of_the_list_and_there_may_be_none() -> None:
    pages = [RunPage(items=[a_run(5)]), RunPage(items=[])]
    with client(lambda _: httpx.Response(200, content=pages.pop(0).model_dump_json(by_alias=True))) as server:
        assert server.newest() == a_run(5)
        assert server.newest() is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (409, Conflict), (422, InvalidRequest), (503, Unavailable), (500, External), (401, External)],
)
def test_a_refusal_is_raised_with_the_servers_own_words(status: int, kind: type[MoonMindError]) -> None:
    body = {"code": "x", "message": "no", "remediation": "do this"}
    with client(lambda _: httpx.Response(status, json=body)) as server, pytest.raises(kind) as refused:
        server.get(RUN)
    assert (refused.value.message, refused.value.advice) == ("no", "do this")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"x"', b"{}"])
def test_an_answer_that_is_no_problem_body_is_an_error_all_the_same(content: bytes) -> None:
    with client(lambda _: httpx.Response(502, content=content)) as server, pytest.raises(External) as refused:
        server.get(RUN)
    assert refused.value.message == "MoonMind answered 502"


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with client(away) as server, pytest.raises(Unavailable):
        server.get(RUN)


def test_what_people_asked_is_among_the_events() -> None:
    event = {"runId": str(RUN), "data": {}, "createdAt": "2026-03-01T12:00:00Z", "taskName": "discover"}
    events = [
        {"id": 4, "seq": 1, "type": "run.created", "actor": "ana", **event},
        {"id": 5, "seq": 2, "type": "attempt.started", "actor": None, **event},
        {"id": 6, "seq": 3, "type": "run.cancel_requested", "actor": "ben", **event},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/api/workflows/speckit/runs/{RUN}/events"
        return httpx.Response(200, json=events)

    with client(answer) as server:
        assert [one.actor for one in HttpSource(server, RUN).requests()] == ["ana", "ben"]


def test_a_growing_log_is_read_on_from_where_it_was() -> None:
    log = b"one\ntwo\n"

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/artifacts/submit/codex logs.jsonl")
        asked = request.headers.get("Range")
        if asked is None:
            return httpx.Response(200, content=log)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        return httpx.Response(416) if start >= len(log) else httpx.Response(206, content=log[start:])

    with client(answer) as server:
        assert server.artifact(RUN, "submit/codex logs.jsonl") == log
        assert server.artifact(RUN, "submit/codex logs.jsonl", 4) == b"two\n"
        assert server.artifact(RUN, "submit/codex logs.jsonl", len(log)) == b""


def test_a_server_that_ignores_ranges_repeats_nothing() -> None:
    with client(lambda _: httpx.Response(200, content=b"one\ntwo\n")) as server:
        assert server.artifact(RUN, "log", 4) == b"two\n"


def test_an_artifact_that_is_not_there_yet_is_empty() -> None:
    with client(lambda _: httpx.Response(404, json={"code": "not_found", "message": "none"})) as server:
        assert server.artifact(RUN, "log") == b""
