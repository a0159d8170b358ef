"""A ChatGPT backend and the issuer of its tokens, on loopback; tokens are JSON Web Tokens that nobody signed."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def jwt(number: int, seconds: float = 3600.0, **more: Any) -> str:
    parts = ({"alg": "none"}, {"exp": int(time.time() + seconds), "n": number, **more})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "sig"]
    )


def stored(access: str, refresh: str = "refresh-1", account: str | None = "acc-1") -> dict[str, Any]:
    tokens = {"id_token": "id", "access_token": access, "refresh_token": refresh, "account_id": account}
    return {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2026-01-01T00:00:00Z"}


class Issuer:
    """A ChatGPT backend and the place where its tokens are renewed, on one port; each refresh token works once."""

    def __init__(self) -> None:
        self.valid = "refresh-1"
        self.accepted: set[str] = set()
        self.renewals: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str, str | None]] = []
        self.status = 200
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = issuer.renew(body) if self.path == "/oauth/token" else issuer.call(self)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.guard = threading.Lock()

    def renew(self, body: bytes) -> tuple[int, dict[str, Any]]:
        with self.guard:
            asked = json.loads(body)
            self.renewals.append(asked)
            if self.status != 200 or asked["refresh_token"] != self.valid:
                return self.status if self.status != 200 else 401, {"error": "refresh_token_reused"}
            number = len(self.renewals) + 1
            self.valid = f"refresh-{number}"
            access = jwt(number)
            self.accepted.add(access)
            return 200, {"id_token": "id", "access_token": access, "refresh_token": self.valid}

    def call(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, Any]]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append((request.path, token, request.headers.get("ChatGPT-Account-ID")))
        return (200, {}) if token in self.accepted else (401, {})
