"""Whose name a request carries, through every route that changes something."""

import os
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.types import Scope

from api_service import deps
from api_service.app import create_app
from moonmind.os_user import name_of
from moonmind.runtime.container import Container
from tests.support.databases import add_run

RUNS = "/api/workflows/speckit/runs"
SETTING = "a-token-of-good-length"
CHANGE_NOTHING = {"previewRun"}
"""Routes that take a body and change nothing."""
Connect = Callable[..., TestClient]


def asked(client: TestClient, run_id: str, **given: Any) -> list[tuple[str, str]]:
    events = client.get(f"{RUNS}/{run_id}/events", **given).json()
    return [(event["type"], event["actor"]) for event in events if event["actor"] is not None]


@pytest.mark.parametrize("uid", sorted({0, os.geteuid()}))
def test_without_a_token_it_is_the_user_of_the_peers_socket(connect: Connect, uid: int) -> None:
    async def owner(_scope: Scope) -> int:
        return uid

    client, name = connect(owner_of=owner), name_of(uid)
    made = client.post(RUNS, json={"repository": "octo/demo"}).json()
    assert made["startedBy"] == name
    assert client.post(f"{RUNS}/{made['id']}/cancel").status_code == 202
    assert client.post(f"{RUNS}/{made['id']}/retry").json()["startedBy"] == name
    kinds = ["run.created", "run.cancel_requested", "run.retried"]
    assert asked(client, made["id"]) == [(kind, name) for kind in kinds]


def test_with_a_token_it_is_the_tokens_name(connect: Connect, container: Container) -> None:
    client = connect(MOONMIND_API_TOKEN=SETTING)
    made = [(name, container.tokens.create(name, actor=None).token) for name in ("ci", "ana", "dash.1")]
    for name, text in [("api-token", SETTING), *made]:
        headers = {"Authorization": f"Bearer {text}"}
        run = client.post(RUNS, json={"repository": f"octo/{name}"}, headers=headers).json()
        assert run["startedBy"] == name
        client.post(f"{RUNS}/{run['id']}/cancel", headers=headers)
        client.post(f"{RUNS}/{run['id']}/retry", headers=headers)
        kinds = ["run.created", "run.cancel_requested", "run.retried"]
        assert asked(client, run["id"], headers=headers) == [(kind, name) for kind in kinds]


@pytest.mark.parametrize("claimed", ["X-Remote-User", "X-Forwarded-User", "From", "X-Moonmind-Actor", "moonmind.actor"])
def test_no_header_chooses_the_name(connect: Connect, container: Container, claimed: str) -> None:
    text = container.tokens.create("ci", actor=None).token
    headers = {"Authorization": f"Bearer {text}", claimed: "root"}
    run = connect().post(RUNS, json={"repository": "octo/demo"}, headers=headers).json()
    assert run["startedBy"] == "ci"


def test_a_body_chooses_no_name(client: TestClient) -> None:
    for field in ("startedBy", "actor", "started_by"):
        answer = client.post(RUNS, json={"repository": "octo/demo", field: "root"})
        assert answer.status_code == 422, field


def test_a_run_of_an_earlier_version_names_nobody(client: TestClient, container: Container) -> None:
    run_id: UUID = add_run(container.database).id
    assert client.get(f"{RUNS}/{run_id}").json()["startedBy"] is None
    assert client.get(RUNS).json()["items"][0]["startedBy"] is None
    assert asked(client, str(run_id)) == []


def test_every_route_that_changes_something_is_told_who_asks() -> None:
    untold = [
        f"{method} {route.path}"
        for route in create_app().routes
        if isinstance(route, APIRoute) and route.operation_id not in CHANGE_NOTHING
        for method in (route.methods or set()) - {"GET", "HEAD"}
        if deps.actor not in {each.call for each in route.dependant.dependencies}
    ]
    assert untold == []
