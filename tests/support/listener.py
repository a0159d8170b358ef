"""A client of an event stream, driven by hand over plain ASGI."""

from collections.abc import Callable
from typing import Any

import anyio
from fastapi import FastAPI

from tests.support.waiting import PATIENCE

STREAM = {"Accept": "text/event-stream"}


class Listener:
    """A client of a stream: it keeps what comes, and goes when its test has seen enough."""

    def __init__(self, app: FastAPI, path: str, headers: dict[str, str]) -> None:
        self.text = ""
        self.status = 0
        self.ended = False
        self._app = app
        self._gone = anyio.Event()
        names = {"host": "localhost", **STREAM, **headers}
        path, _, query = path.partition("?")
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in names.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 8000),
        }

    async def listen(self) -> None:
        await self._app(self._scope, self._receive, self._send)
        self.ended = True

    def go(self) -> None:
        self._gone.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(PATIENCE):
            while not condition():  # noqa: ASYNC110 - the condition lies in the code under test, which sets no event
                await anyio.sleep(0.01)

    async def _receive(self) -> dict[str, str]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()
