import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from moonmind.adapters.supervisor.keyproxy import Proxy, address_of
from moonmind.adapters.supervisor.order import KeyProxy
from tests.support.processes import free_port

KEY = "the-real-key"


class Service(BaseHTTPRequestHandler):
    """A model service that shows what it was sent."""

    url: str
    seen: list[tuple[str, str, dict[str, str], bytes]]
    released: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, dict(self.headers.items()), body))
        if self.path.startswith("/v1/elsewhere"):
            self.send_response(307)
            self.send_header("Location", "/v1/responses")
            self.end_headers()
            return
        if self.path.startswith("/v1/refused"):
            self.send_response(401)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Request-Id", "r1")
        self.end_headers()
        self.wfile.write(b"first\n")
        self.wfile.flush()
        self.released.wait(10)
        self.wfile.write(b"second\n")

    do_GET = do_POST  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def service() -> Iterator[type[Service]]:
    class Fresh(Service):
        seen = []
        released = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    Fresh.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield Fresh
    Fresh.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(service: type[Service]) -> Iterator[Proxy]:
    made = Proxy(KeyProxy(service.url, KEY))
    made.serve()
    yield made
    made.close()


def test_the_key_is_added_and_the_rest_passes_through(service: type[Service], proxy: Proxy) -> None:
    service.released.set()
    headers = {"Authorization": f"Bearer {proxy.token}", "X-Custom": "kept", "Content-Type": "application/json"}
    answer = httpx.post(f"{proxy.url}/responses?q=1", headers=headers, content=b'{"a": 1}')
    assert (answer.status_code, answer.text, answer.headers["x-request-id"]) == (200, "first\nsecond\n", "r1")
    method, path, sent, body = service.seen[0]
    assert (method, path, body) == ("POST", "/v1/responses?q=1", b'{"a": 1}')
    assert sent["Authorization"] == f"Bearer {KEY}"
    assert sent["X-Custom"] == "kept"
    assert proxy.token not in str(sent)


@pytest.mark.parametrize("shown", ["", "Bearer wrong", f"Bearer {KEY}"])
def test_nobody_else_may_use_the_key(service: type[Service], proxy: Proxy, shown: str) -> None:
    assert httpx.post(f"{proxy.url}/responses", headers={"Authorization": shown}).status_code == 403
    assert service.seen == []


def test_a_stream_comes_as_it_is_said(service: type[Service], proxy: Proxy) -> None:
    headers = {"Authorization": f"Bearer {proxy.token}"}
    with httpx.stream("POST", f"{proxy.url}/responses", headers=headers, timeout=10) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"  # although the service has not said all
        service.released.set()
        assert next(lines) == "second"


def test_a_refusal_is_passed_on(proxy: Proxy) -> None:
    answer = httpx.post(f"{proxy.url}/refused", headers={"Authorization": f"Bearer {proxy.token}"})
    assert (answer.status_code, answer.text) == (401, "no")


def test_the_key_follows_no_redirect(service: type[Service], proxy: Proxy) -> None:
    answer = httpx.get(f"{proxy.url}/elsewhere", headers={"Authorization": f"Bearer {proxy.token}"})
    assert answer.status_code == 307
    assert len(service.seen) == 1


def test_an_unreachable_service_is_a_503_that_ends_the_agents_retries() -> None:
    proxy = Proxy(KeyProxy(f"http://127.0.0.1:{free_port()}/v1", KEY))
    proxy.serve()
    began = time.monotonic()
    answer = httpx.get(f"{proxy.url}/models", headers={"Authorization": f"Bearer {proxy.token}"})
    assert answer.status_code == 503
    assert time.monotonic() - began < 5
    assert KEY not in answer.text
    proxy.close()


def test_only_http_is_spoken() -> None:
    with pytest.raises(ValueError, match="ftp"):
        Proxy(KeyProxy("ftp://example.invalid", KEY))


TARGETS = [
    ":{port}/steal",
    "@127.0.0.1:{port}/steal",
    "x@127.0.0.1:{port}/steal",
    ".localhost:{port}/steal",
    "http://127.0.0.1:{port}/steal",
    "//127.0.0.1:{port}/steal",
    "///127.0.0.1:{port}/steal",
    "/\\127.0.0.1:{port}/steal",
    "\\\\127.0.0.1:{port}/steal",
    "/@127.0.0.1:{port}/steal",
    "/../steal",
    "/%2e%2e/steal",
    "/.%2E/steal",
    "/%2f/steal",
    "/%5c/steal",
    "/a%0d%0aHost:%20127.0.0.1:{port}/steal",
    "/a%7f",
    "/a\tb",
    "/a\x0bb",
    "/a\x85b",
    "/#@127.0.0.1:{port}/steal",
    "?@127.0.0.1:{port}/steal",
    "*",
]


@pytest.fixture
def stranger() -> Iterator[list[tuple[str, ...]]]:
    """Listen on another port of the same host: whatever comes here was sent to the wrong place."""
    seen: list[tuple[str, ...]] = []
    listening = socket.create_server(("127.0.0.1", 0))
    seen.append((str(listening.getsockname()[1]),))

    def listen() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                seen.append((connection.recv(65536).decode(),))

    thread = threading.Thread(target=listen)
    thread.start()
    yield seen
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize("base", ["", "/v1"])
@pytest.mark.parametrize("named", [True, False], ids=["with a port", "without a port"])
def test_the_key_goes_to_its_own_service_whatever_is_asked_for(
    service: type[Service], stranger: list[tuple[str, ...]], base: str, named: bool
) -> None:
    # Without a port of its own the address can be given another one by mere joining.
    proxy = Proxy(KeyProxy((service.url.removesuffix("/v1") if named else "http://127.0.0.1") + base, KEY))
    proxy.serve()
    for target in TARGETS:
        asked = target.format(port=stranger[0][0])
        with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=10) as agent:
            agent.sendall(
                f"GET {asked} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {proxy.token}\r\n\r\n".encode("latin-1")
            )
            assert b" 400 " in agent.recv(64), asked
    proxy.close()
    assert len(stranger) == 1
    assert service.seen == []


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1", "https://example.org", "https://example.org/v1", "http://[::1]:8/v1"]
)
def test_plain_paths_stay_below_the_service(base: str) -> None:
    assert address_of(base, "/responses?stream=1&to=a:b/c") == f"{base}/responses?stream=1&to=a:b/c"
    assert address_of(f"{base}/", "/models") == f"{base}/models"
    assert address_of(f"{base}/", "/a%20b") == f"{base}/a%20b"


def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="host"):
        Proxy(KeyProxy("http:///v1", KEY))


def first_line(proxy: Proxy, *headers: str) -> bytes:
    """Send the head of a request, and nothing of its body; return how it is answered."""
    port = int(proxy.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as asked:
        asked.sendall("\r\n".join(("POST /responses HTTP/1.1", "Host: x", *headers, "", "")).encode())
        return asked.makefile("rb").readline()


@pytest.mark.parametrize("length", ["500000000", "-1", "0x10", "1e3", "٣", str(10**12)])
def test_a_body_that_is_too_large_or_has_no_size_is_not_read(service: type[Service], proxy: Proxy, length: str) -> None:
    header = f"Content-Length: {length}"
    assert b" 403 " in first_line(proxy, header), "who shows no token is not read from"
    assert b" 413 " in first_line(proxy, header, f"Authorization: Bearer {proxy.token}")
    assert service.seen == []


def test_connections_without_a_request_keep_nobody_out_once_they_go(service: type[Service], proxy: Proxy) -> None:
    port = int(proxy.url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
    try:
        assert silent[-1].recv(1) == b"", "there are too many: the last one is hung up on"
    finally:
        for each in silent:
            each.close()
    service.released.set()
    asked = time.monotonic()
    while time.monotonic() < asked + 10:
        try:
            answer = httpx.post(
                f"{proxy.url}/responses", headers={"Authorization": f"Bearer {proxy.token}"}, content=b"{}"
            )
        except httpx.HTTPError:
            continue  # they are just going
        assert answer.status_code == 200
        return
    pytest.fail("nobody is let in any more")
