"""A scripted Responses API on loopback: enough of a model service for the real Codex binary, exact where it matters.

    python -m tests.support.responses_server --port-file F --script S --log L [--key K]

The script is a JSON list of turns; each request to /responses of one conversation takes the next turn, the last one
serves all later requests. A turn is an object with one of

    {"message": "..."}                      the model says this and ends its turn
    {"exec": "shell command"}               the model runs a command, then asks again
    {"patch": "*** Begin Patch..."}         the model edits files, then asks again
    {"status": 401, "body": {...}}          the service refuses ("headers" are sent too)
    {"hang": seconds}                       the stream opens and says nothing
    {"drop": true}                          the stream breaks off

and, beside that, `wait_for` (a file that must exist first) and `usage` (input_tokens, output_tokens).
`{"turns": [...], "per_request": true}` instead of a list counts requests over all conversations.
Every request is one line of the log.
"""

import argparse
import contextlib
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

_USAGE = {"input_tokens": 100, "output_tokens": 10}


class ResponsesServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1; used as a context manager it serves from a thread."""

    daemon_threads = True

    def __init__(self, script: list[dict[str, Any]] | dict[str, Any], log: Path, key: str = "test-key") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        plain = script if isinstance(script, list) else script["turns"]
        self.turns: list[dict[str, Any]] = plain
        self.per_request = isinstance(script, dict) and bool(script.get("per_request"))
        self.log_path = log
        self.key = key
        self.served: Counter[str] = Counter()
        self.guard = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def requests(self) -> list[dict[str, Any]]:
        """Read the log back."""
        if not self.log_path.exists():
            return []
        return [json.loads(line) for line in self.log_path.read_text("utf-8").splitlines()]

    def next_turn(self, conversation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the number of a conversation's turn, and what is played; `body` is the request."""
        with self.guard:
            counter = "" if self.per_request else conversation
            number = self.served[counter]
            self.served[counter] += 1
        return number, self.turns[min(number, len(self.turns) - 1)]

    def record(self, entry: dict[str, Any]) -> None:
        with self.guard, self.log_path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


class _Handler(BaseHTTPRequestHandler):
    server: ResponsesServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Keep quiet; the log file has it."""

    def do_GET(self) -> None:
        self._record({})
        if not self._authorized():
            self._json(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
        elif self.path.partition("?")[0].endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": "gpt-5.5", "object": "model"}]})
        else:
            self._json(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        conversation = self._conversation(body)
        if not self.path.endswith("/responses"):
            self._record({"body": body})
            self._json(404, {"error": {"message": "not found"}})
            return
        if not self._authorized():
            self._record({"conversation": conversation, "refused": True})
            self._json(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
            return
        number, turn = self.server.next_turn(conversation, body)
        self._record(
            {"conversation": conversation, "turn": number, "model": body.get("model"), "input": body.get("input")}
            | {"tools": [tool.get("name") or tool.get("type") for tool in body.get("tools") or ()]}
        )
        self._wait_for(turn.get("wait_for"))
        if "status" in turn:
            self._json(turn["status"], turn.get("body", {"error": {"message": "scripted"}}), turn.get("headers"))
            return
        self._stream(number, turn)

    def _stream(self, number: int, turn: dict[str, Any]) -> None:
        response_id = f"resp_{number}_{time.monotonic_ns()}"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event("response.created", {"response": {"id": response_id}})
        if "hang" in turn:
            self.server.closing.wait(float(turn["hang"]))
            return
        if "drop" in turn:
            return
        self._event("response.output_item.done", {"item": _item(turn, number)})
        usage = _USAGE | turn.get("usage", {})
        counted = {
            "input_tokens": usage["input_tokens"],
            "input_tokens_details": {"cached_tokens": usage.get("cached_input_tokens", 0)},
            "output_tokens": usage["output_tokens"],
            "output_tokens_details": {"reasoning_tokens": usage.get("reasoning_output_tokens", 0)},
            "total_tokens": usage["input_tokens"] + usage["output_tokens"],
        }
        self._event("response.completed", {"response": {"id": response_id, "usage": counted}})

    def _event(self, kind: str, fields: dict[str, Any]) -> None:
        data = f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
        with contextlib.suppress(ConnectionError):  # clients that hang up: killing them is what the tests do
            self.wfile.write(data)
            self.wfile.flush()

    def _wait_for(self, path: str | None) -> None:
        while path is not None and not Path(path).exists() and not self.server.closing.is_set():
            time.sleep(0.02)

    def _authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.key}"

    def _conversation(self, body: dict[str, Any]) -> str:
        for name in ("conversation_id", "session_id", "session-id", "thread-id", "x-client-request-id"):
            if self.headers.get(name):
                return str(self.headers[name])
        return str(body.get("prompt_cache_key", ""))

    def _record(self, entry: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"}
        head = {
            "at": time.time(),
            "method": self.command,
            "path": self.path,
            "authorization": "Authorization" in self.headers,
        }
        self.server.record(head | {"authorized": self._authorized(), "headers": headers} | entry)

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)


def _item(turn: dict[str, Any], number: int) -> dict[str, Any]:
    if "exec" in turn:
        arguments = json.dumps({"cmd": turn["exec"], "yield_time_ms": turn.get("yield_time_ms", 10_000)})
        return {"type": "function_call", "name": "exec_command", "arguments": arguments, "call_id": f"call_{number}"}
    if "patch" in turn:
        return {"type": "custom_tool_call", "name": "apply_patch", "input": turn["patch"], "call_id": f"call_{number}"}
    content = [{"type": "output_text", "text": turn["message"]}]
    return {"type": "message", "role": "assistant", "id": f"msg_{number}", "content": content}


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted Responses API on loopback.")
    parser.add_argument("--port-file", type=Path, required=True, help="the port is written here once it answers")
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--key", default="test-key")
    options = parser.parse_args()
    server = ResponsesServer(json.loads(options.script.read_text("utf-8")), options.log, options.key)
    written = options.port_file.with_name(options.port_file.name + ".part")
    written.write_text(str(server.server_address[1]))
    written.replace(options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
