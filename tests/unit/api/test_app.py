"""Starting and ending."""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from moonmind import bootstrap
from moonmind.errors import InvalidRequest, NotConfigured
from moonmind.settings import Settings
from tests.support.peers import ours


def settings(folder: Path, **values: Any) -> Settings:
    plain: dict[str, Any] = {"SPEC_WORKFLOW_TEST_MODE": True, "MOONMIND_STATE_DIR": folder / "state"}
    return Settings(_env_file=None, **(plain | values))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and a temporary folder elsewhere: no state may be below either."""
    place, scratch = tmp_path / "here", tmp_path / "scratch"
    place.mkdir()
    scratch.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return tmp_path


def test_the_engine_runs_while_requests_are_served(folder: Path) -> None:
    app = create_app(settings(folder), owner_of=ours)
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        assert client.get("/healthz").status_code == 200
        assert app.state.container.attended()
    assert not app.state.container.attended()


def test_the_server_is_told_in_one_sentence_why_nothing_starts(folder: Path) -> None:
    (folder / ".git").mkdir()  # agents would take this folder for their own repository
    said: list[Any] = []

    async def serve() -> None:
        async def receive() -> Any:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            said.append(message)

        await create_app(settings(folder), owner_of=ours)({"type": "lifespan", "state": {}}, receive, send)

    with pytest.raises(NotConfigured):
        asyncio.run(serve())
    (message,) = said
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"].startswith(f"MoonMind cannot start: the state folder {folder / 'state'} is inside")
    assert "Set MOONMIND_STATE_DIR to a folder outside" in message["message"]
    assert "Traceback" not in message["message"]


@pytest.mark.parametrize("state", ["none", "revoked", "valid"])
def test_a_server_for_other_machines_starts_only_where_there_is_a_token(folder: Path, state: str) -> None:
    mine = settings(folder)
    with closing(bootstrap.build(mine, publishes=False)) as container:
        if state != "none":
            container.tokens.create("ci", actor=None)
        if state == "revoked":
            container.tokens.revoke("ci")
    server = TestClient(create_app(mine, owner_of=ours, open_at="192.0.2.7"), client=("192.0.2.8", 1))
    if state == "valid":
        with server:
            assert server.get("/healthz").status_code == 200
        return
    with pytest.raises(InvalidRequest, match=r"192\.0\.2\.7 can be reached from other machines"), server:
        pass
