"""Holds the model service's key so that the agent, whose commands are not to be trusted, never has it."""

import contextlib
import hmac
import http.client
import secrets
import socket
import threading
import urllib.error
import urllib.request
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from moonmind.adapters.supervisor.calls import CallCount
from moonmind.adapters.supervisor.link import URL
from moonmind.adapters.supervisor.login import ChatGpt, Credential, Key, LoginRefused
from moonmind.adapters.supervisor.order import KeyProxy

_READ_SECONDS = 900.0
"""How long the service may be silent; the agent's own idle limit and the stall watchdog come first."""
_CHUNK = 65536
_MOST_BYTES = 64 << 20
"""Of a request's body."""
_MOST_CONNECTIONS = 64
"""At once: whoever is behind a wall may connect, and each connection takes a thread and files of the supervisor's."""
_OWN_REQUEST_HEADERS = frozenset(
    {
        "authorization",
        "chatgpt-account-id",
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
    }
)
_OWN_RESPONSE_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: a redirect would carry the key to wherever it points."""
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(*arguments, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, or hang up where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


class Proxy:
    """Listens for one agent, on loopback or on a socket that is given. `token` is what it must show in place of the key.

    `kept` is the file in which the calls are counted; without one only this object knows.
    """

    def __init__(self, terms: KeyProxy, kept: Path | None = None, listener: socket.socket | None = None) -> None:
        upstream = urlsplit(terms.upstream)
        if upstream.scheme not in ("http", "https") or not upstream.hostname:
            raise ValueError(f"the model service's address has the scheme {upstream.scheme!r} or names no host")
        self.calls = CallCount(kept, terms)
        self.token = secrets.token_urlsafe(32)

        class Handler(_Handler):
            token = self.token
            opener = urllib.request.build_opener(_NoRedirect)
            upstream = terms.upstream
            credential = ChatGpt(Path(terms.login), terms.refresh_url) if terms.login else Key(terms.key)
            calls = self.calls

        # Bound here, served later: connections wait in the backlog while the agent is started without threads around.
        self._server = _Server(("127.0.0.1", 0), Handler, bind_and_activate=listener is None)
        if listener is not None:
            self._server.socket.close()
            self._server.socket = listener
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}" if listener is None else URL

    def serve(self) -> None:
        """Begin to answer, in threads that end with the process."""
        threading.Thread(target=self._server.serve_forever, name="key-proxy", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def address_of(upstream: str, target: str) -> str:
    """Return the address below `upstream` for a request's target; the key goes nowhere else. Raises ValueError.

    The target comes from the agent and is not to be trusted: joined as text, `:8080/x` or `.example.org/x` would change
    the host. Only a plain path with an optional query is taken.
    """
    if not target.startswith("/") or any(not "!" <= sign <= "~" for sign in target):
        raise ValueError("the request's target is not a path")
    path, _, query = target.partition("?")
    plain = unquote(path)
    odd = any(sign in target for sign in "@\\#") or "\\" in plain or any(not " " <= sign != "\x7f" for sign in plain)
    if odd or "//" in plain or any(part in (".", "..") for part in plain.split("/")):
        raise ValueError("the request's target is not a plain path")
    base = urlsplit(upstream)
    address = urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + path, query, ""))
    there = urlsplit(address)
    if (there.scheme, there.netloc, there.hostname, there.port) != (base.scheme, base.netloc, base.hostname, base.port):
        raise ValueError("the request's target leads to another service")
    return address


class _Handler(BaseHTTPRequestHandler):
    token: str
    opener: urllib.request.OpenerDirector
    upstream: str
    credential: Credential
    calls: CallCount
    timeout = _READ_SECONDS

    def do_GET(self) -> None:
        """Pass a GET on."""
        self._pass_on(None)

    def do_POST(self) -> None:
        """Pass a POST on."""
        self._pass_on(self.headers.get("Content-Length") or "0")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Log nothing: what was asked is in the agent's own log."""

    def _pass_on(self, length: str | None) -> None:
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), self.token.encode()):
            self.send_error(403, "not the agent of this job")
            return
        if length is not None and not (length.isascii() and length.isdigit() and int(length) <= _MOST_BYTES):
            self.send_error(413, f"a request's body may have {_MOST_BYTES} bytes")
            return
        body = self.rfile.read(int(length)) if length is not None else None
        try:
            # The raw target: http.server tidies `path` up, and what was asked for is what is judged.
            address = address_of(self.upstream, self.requestline.split(" ")[1])
        except (ValueError, IndexError):
            self.send_error(400, "not a path of the model service")
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_REQUEST_HEADERS}
        # Whatever is asked by POST costs money, at whichever path.
        counted = self.command == "POST"
        try:
            if counted and not self.calls.begin():
                self._refuse()
                return
        except OSError as error:
            self.send_error(503, "the model calls cannot be counted", str(error))
            return
        answer: Any
        try:
            answer = self._ask(address, body, headers)
        except urllib.error.HTTPError as error:
            answer = error
        except LoginRefused as refused:
            self._uncount(counted)
            self.calls.refusals.add(401)
            self.send_error(401, str(refused))
            return
        except (OSError, http.client.HTTPException) as error:
            self._uncount(counted)
            # A refusal is retried a few times and then ends the turn; an unreachable address would be retried without end.
            self.send_error(503, "the model service cannot be reached", str(error))
            return
        if not 200 <= answer.status < 300:
            self.calls.refusals.add(answer.status)
            self._uncount(counted)
        self.close_connection = True
        # What breaks from here on, at either end, can only be said by hanging up.
        with answer, contextlib.suppress(OSError, http.client.HTTPException):
            self._answer(answer.status, answer.headers, answer)

    def _ask(self, address: str, body: bytes | None, headers: dict[str, str]) -> Any:
        used = self.credential.headers()
        try:
            return self._open(address, body, headers | used)
        except urllib.error.HTTPError as error:
            if error.code != 401 or not self.credential.renewed(used):
                raise
            error.close()
        return self._open(address, body, headers | self.credential.headers())

    def _open(self, address: str, body: bytes | None, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(address, data=body, headers=headers, method=self.command)  # noqa: S310 - scheme checked at start
        return self.opener.open(request, timeout=_READ_SECONDS)

    def _uncount(self, counted: bool) -> None:
        # On a full disk the call stays counted: one too many is better than an uncounted one.
        with contextlib.suppress(OSError):
            if counted:
                self.calls.take_back()

    def _refuse(self) -> None:
        body = self.calls.refusal()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, headers: Message, body: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN_RESPONSE_HEADERS:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while chunk := body.read1(_CHUNK):  # as it comes: the answer is a stream of events
            self.wfile.write(chunk)
