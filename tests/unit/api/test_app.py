"""Starting and ending."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from moonmind.errors import SchemaMismatch
from tests.support.peers import ours

ROOT = Path(__file__).parents[3]


def test_the_container_is_open_while_requests_are_served(build: Any) -> None:
    container = build()
    with TestClient(
        create_app(container=container, owner_of=ours), base_url="http://localhost", client=("127.0.0.1", 1)
    ) as client:
        assert container.calls == ["open"]
        assert client.get("/healthz").status_code == 200
    assert container.calls == ["open", "close"]


def test_the_server_is_told_in_one_sentence_why_nothing_starts(build: Any) -> None:
    container = build()
    container.refuse_to_open = SchemaMismatch("the schema is at 0001, this program needs 0002")
    said: list[Any] = []

    async def serve() -> None:
        async def receive() -> Any:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            said.append(message)

        await create_app(container=container, owner_of=ours)({"type": "lifespan", "state": {}}, receive, send)

    import asyncio

    with pytest.raises(SchemaMismatch):
        asyncio.run(serve())
    (message,) = said
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"] == (
        "MoonMind cannot start: the schema is at 0001, this program needs 0002. "
        "Run `alembic upgrade head` in the checkout, or `moonmind db upgrade` anywhere, with the same settings, then start "
        "again."
    )


def test_uvicorn_says_which_setting_is_wrong_and_exits(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "api_service.main:app", "--port", "0"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "HOME": str(tmp_path), "CELERY_BROKER_URL": "redis://x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "MoonMind cannot start: CELERY_BROKER_URL has the scheme 'redis'" in ended.stderr
    assert "Traceback" not in ended.stderr
