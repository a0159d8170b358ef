"""The way out of builds, over real sockets: what passes, what is refused, and what is said about it."""

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from moonmind.adapters.supervisor import egress
from moonmind.adapters.supervisor.egress import EgressProxy
from moonmind.adapters.supervisor.order import Egress
from tests.support.processes import free_port

SECRET = "s3cret-word"


class Host(BaseHTTPRequestHandler):
    """A host that shows what it was sent."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, list[tuple[str, str]], bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, self.headers.items(), body))
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("Location", "http://elsewhere.example/")
        for name, value in (
            ("X-Kept", "yes"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "9"),
        ):
            self.send_header(name, value)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"2\r\nok\r\n0\r\n\r\n")
            self.close_connection = True
            return
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


class Network(Host):
    """A network's own proxy: notes who asks for what, and answers in the host's place."""

    refuses = 0

    def do_CONNECT(self) -> None:
        self.seen.append((self.command, self.path, self.headers.items(), b""))
        login = self.headers.get("Proxy-Authorization", "")
        if self.refuses:
            self.send_error(self.refuses, SECRET, login)
            return
        self.wfile.write(f"HTTP/1.1 200 fine\r\nX-Own: {login}\r\n\r\n".encode())
        if self.path.endswith(":443"):
            self.wfile.write(b"early ")
            self.wfile.write(self.rfile.readline())
            self.close_connection = True


@contextlib.contextmanager
def serving(kind: type[Host], **changes: Any) -> Iterator[tuple[int, type[Host]]]:
    fresh = type("Fresh", (kind,), {"seen": [], **changes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), fresh)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], fresh
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def host() -> Iterator[tuple[int, type[Host]]]:
    with serving(Host) as made:
        yield made


Open = Callable[..., tuple[EgressProxy, int]]


@pytest.fixture
def way_out() -> Iterator[Open]:
    """Start proxies, and return each with its port."""
    listeners = []

    def start(*hosts: str, **terms: Any) -> tuple[EgressProxy, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        proxy = EgressProxy(Egress(hosts, **terms))
        proxy.serve(listener)
        return proxy, listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def say(port: int, *parts: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


# --- plain requests


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_a_request_reaches_its_host_and_the_answer_comes_back(
    host: tuple[int, type[Host]], way_out: Open, method: str
) -> None:
    port, kind = host
    place = f"127.0.0.1:{port}"
    proxy, at = way_out(place, local=(place,))
    body = b"x" * 200_000 if method in ("POST", "PUT") else b""
    head = f"{method} http://{place}/a?b=c HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: Basic eDp5\r\n"
    head += "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nProxy-Connection: keep-alive\r\nX-Kept: yes\r\n"
    head += f"Max-Forwards: 0\r\nTE: trailers\r\nUpgrade: h2c\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = say(at, head.encode() + body[:1000], body[1000:])
    assert kind.seen == [(method, "/a?b=c", [("Host", place), ("X-Kept", "yes"), ("Connection", "close"),
                                             ("Content-Length", str(len(body)))], body)]  # fmt: skip
    received, _, content = answer.partition(b"\r\n\r\n")
    assert status(answer) == 200
    assert b"X-Kept: yes" in received
    assert b"X-Hop" not in received
    assert received.lower().count(b"connection:") == 1
    assert content == (b"" if method == "HEAD" else b"ok")
    assert proxy.notes.facts() == {"refused": {}, "unreachable": {}, "received": len(content)}


def test_an_answer_in_chunks_is_passed_on_as_it_is(host: tuple[int, type[Host]], way_out: Open) -> None:
    place = f"127.0.0.1:{host[0]}"
    _, at = way_out(place, local=(place,))
    answer = say(at, f"GET http://{place}/chunks HTTP/1.1\r\n\r\n".encode())
    assert answer.endswith(b"2\r\nok\r\n0\r\n\r\n")
    assert answer.count(b"Transfer-Encoding: chunked") == 1


def test_a_redirect_is_the_clients_to_follow(host: tuple[int, type[Host]], way_out: Open) -> None:
    place = f"127.0.0.1:{host[0]}"
    proxy, at = way_out(place, local=(place,))
    answer = say(at, f"GET http://{place}/moved HTTP/1.1\r\n\r\n".encode())
    assert status(answer) == 302
    assert b"http://elsewhere.example/" in answer
    assert status(say(at, b"GET http://elsewhere.example/ HTTP/1.1\r\n\r\n")) == 403
    assert proxy.notes.facts()["refused"] == {"elsewhere.example:80": 1}


def test_a_second_request_on_a_connection_goes_nowhere(host: tuple[int, type[Host]], way_out: Open) -> None:
    port, kind = host
    place = f"127.0.0.1:{port}"
    _, at = way_out(place, local=(place,))
    answer = say(at, f"GET http://{place}/1 HTTP/1.1\r\n\r\nGET http://{place}/2 HTTP/1.1\r\n\r\n".encode())
    assert answer.count(b"HTTP/1.1 200") == 1
    assert [path for _, path, _, _ in kind.seen] == ["/1"]


def test_a_body_that_waits_to_be_asked_for_is_asked_for(host: tuple[int, type[Host]], way_out: Open) -> None:
    port, kind = host
    place = f"127.0.0.1:{port}"
    _, at = way_out(place, local=(place,))
    with socket.create_connection(("127.0.0.1", at), timeout=20) as connection:
        connection.sendall(
            f"PUT http://{place}/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hi")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert kind.seen[0][3] == b"hi"


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: PLACE\r\n\r\n", 400),
        (b"GET https://PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET //PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http:/PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://user@PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://evil.example@PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://PLACE@evil.example/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://PLACE\\@evil.example/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://evil.example#@PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://PLACE/#x HTTP/1.1\r\n\r\n", 400),
        (b"GET http://evil.example/http://PLACE/ HTTP/1.1\r\n\r\n", 403),
        (b"GET http:///PLACE HTTP/1.1\r\n\r\n", 400),
        (b"GET  http://PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1 x\r\n\r\n", 400),
        (b"GET http://PLACE/\tx HTTP/1.1\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/2.0\r\n\r\n", 400),
        (b"GET http://PLACE/\r\n\r\n", 400),
        (b"get http://PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"G@T http://PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA: b\rB: c\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA: b\x00\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\n A: b\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\n: b\r\n\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\n" + b"A: b\r\n" * 201 + b"\r\n", 400),
        (b"GET http://PLACE/ HTTP/1.1\r\nA: " + b"b" * 80_000 + b"\r\n\r\n", 400),
        (b"GET http://PLACE/" + b"b" * 80_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: -1\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: 0x1\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length:\r\n\r\na", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST http://PLACE/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST http://PLACE/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 411),
        (b"CONNECT PLACE HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"CONNECT http://PLACE HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT /PLACE HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT x@PLACE HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT PLACE/ HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT evil.example:443\xa0PLACE HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: PLACE\r\n\r\n", 403),
        (b"OPTIONS * HTTP/1.1\r\nHost: PLACE\r\n\r\n", 400),
        (b"OPTIONS http://PLACE/ HTTP/1.1\r\n\r\n", 405),
        (b"TRACE http://PLACE/ HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n", 405),
        (b"TRACK http://PLACE/ HTTP/1.1\r\n\r\n", 405),
        (b"DELETE http://PLACE/ HTTP/1.1\r\n\r\n", 405),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_reaches_nobody(
    host: tuple[int, type[Host]], way_out: Open, request_bytes: bytes, code: int
) -> None:
    port, kind = host
    place = f"127.0.0.1:{port}"
    _, at = way_out(place, local=(place,))
    answer = say(at, request_bytes.replace(b"PLACE", place.encode()))
    assert status(answer) == code
    assert kind.seen == []


# --- hosts and addresses


@pytest.mark.parametrize("shape", ["CONNECT {} HTTP/1.1\r\n\r\n", "GET http://{}/ HTTP/1.1\r\n\r\n"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost."])
def test_a_listed_host_with_a_private_address_has_to_be_listed_as_one(
    host: tuple[int, type[Host]], way_out: Open, shape: str, name: str
) -> None:
    place = f"{name}:{host[0]}"
    proxy, at = way_out(place)
    answer = say(at, shape.format(place).encode())
    assert status(answer) == 403
    assert answer.count(b"MOONMIND_ENVIRONMENT_HOSTS") == 2
    assert list(proxy.notes.facts()["refused"].values()) == [1]
    _, at = way_out(place, local=(place,))
    assert status(say(at, shape.format(place).encode(), b"GET / HTTP/1.0\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "asked", ["127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "[::1%lo]", "127.0.0.1."]
)
@pytest.mark.parametrize("shape", ["CONNECT {} HTTP/1.1\r\n\r\n", "GET http://{}/ HTTP/1.1\r\n\r\n"])
def test_other_spellings_of_a_listed_host_are_refused(
    host: tuple[int, type[Host]], way_out: Open, asked: str, shape: str
) -> None:
    place = f"127.0.0.1:{host[0]}"
    _, at = way_out(place, local=(place,))
    assert status(say(at, shape.format(f"{asked}:{host[0]}").encode())) == 400
    assert host[1].seen == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["::1"], ["fe80::1%1"], ["::ffff:127.0.0.1"],
     ["64:ff9b::7f00:1"], ["192.168.1.1", "fd00::1"]],
)  # fmt: skip
def test_a_public_name_that_leads_inside_is_refused(
    way_out: Open, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    reached: list[Any] = []
    monkeypatch.setattr(egress, "_addresses", lambda *_: [(socket.AF_INET, (one, 443)) for one in addresses])
    monkeypatch.setattr(egress, "_connected", reached.append)
    proxy, at = way_out("pypi.example")
    assert status(say(at, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")) == 403
    assert reached == []
    assert proxy.notes.facts()["refused"] == {"pypi.example:443": 1}


def test_a_name_is_looked_up_once_and_what_was_judged_is_what_is_reached(
    host: tuple[int, type[Host]], way_out: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups: list[tuple[str, int]] = []

    def look_up(name: str, port: int) -> list[Any]:
        lookups.append((name, port))
        return [(socket.AF_INET, (address, port)) for address in ("192.0.2.1", "127.0.0.1")]

    def judge(place: tuple[Any, tuple[Any, ...]]) -> bool:
        return bool(place[1][0] == "127.0.0.1")  # stands for a public one: tests reach no others

    monkeypatch.setattr(egress, "_addresses", look_up)
    monkeypatch.setattr(egress, "_is_public", judge)
    place = f"rebinding.example:{host[0]}"
    _, at = way_out(place)
    assert status(say(at, f"GET http://{place}/ HTTP/1.1\r\n\r\n".encode())) == 200
    assert lookups == [("rebinding.example", host[0])]
    assert host[1].seen[0][2][0] == ("Host", place)


def test_a_host_that_is_not_listed_is_not_looked_up(way_out: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(egress, "_addresses", lambda *place: asked.append(place))
    proxy, at = way_out("pypi.example", "*.files.example")
    for place in ("a.pypi.example:443", "files.example:443", "pypi.example:22", "evil.example:443", "evil.example:443"):
        answer = say(at, f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert place.encode() in answer.split(b"\r\n")[0]
    assert asked == []
    assert proxy.notes.facts()["refused"]["evil.example:443"] == 2


def test_what_cannot_be_reached_is_said_and_counted(way_out: Open) -> None:
    closed = f"127.0.0.1:{free_port()}"
    proxy, at = way_out(closed, "no-such-host.invalid", local=(closed,))
    refused = say(at, f"CONNECT {closed} HTTP/1.1\r\n\r\n".encode())
    assert status(refused) == 502
    assert b"Connection refused" in refused
    assert status(say(at, b"GET http://no-such-host.invalid/ HTTP/1.1\r\n\r\n")) == 502
    assert proxy.notes.facts()["unreachable"] == {closed: 1, "no-such-host.invalid:80": 1}


@pytest.mark.parametrize(
    "said",
    [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 101 Switch\r\n\r\n", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"HTTP/1.1 100 Continue\r\n\r\n"],
)  # fmt: skip
def test_an_answer_that_is_none_is_said(way_out: Open, said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    with raw_host(answer) as place:
        proxy, at = way_out(place, local=(place,))
        assert status(say(at, f"GET http://{place}/ HTTP/1.1\r\n\r\n".encode())) == 502
    assert proxy.notes.facts()["unreachable"] == {place: 1}


def test_words_before_the_answer_are_skipped_and_a_host_that_stays_is_left(way_out: Open) -> None:
    done = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more")
        done.wait(20)

    with raw_host(answer) as place:
        _, at = way_out(place, local=(place,))
        assert say(at, f"GET http://{place}/ HTTP/1.1\r\n\r\n".encode()).endswith(b"\r\n\r\nok")
        done.set()


# --- tunnels


@contextlib.contextmanager
def raw_host(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve connections with a function, and return the place."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=meet, args=(connection,), daemon=True).start()

    def meet(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


def echo_at_the_end(connection: socket.socket) -> None:
    """Read until the other side has hung up, and only then answer."""
    taken = b""
    while chunk := connection.recv(65536):
        taken += chunk
    connection.sendall(taken[::-1])


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_tunnel_carries_all_both_ways_and_passes_half_closes_on(way_out: Open, size: int) -> None:
    with raw_host(echo_at_the_end) as place:
        proxy, at = way_out(place, local=(place,))
        with socket.create_connection(("127.0.0.1", at), timeout=20) as connection:
            connection.sendall(f"CONNECT {place} HTTP/1.1\r\n\r\nab".encode())  # some of it comes with the request
            connection.sendall(b"x" * size)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + b"x" * size + b"ba"
        assert proxy.notes.facts()["received"] == size + 2


def test_a_tunnel_in_which_nothing_moves_is_closed(way_out: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moonmind.adapters.supervisor.tunnel._IDLE_SECONDS", 0.3)
    with raw_host(echo_at_the_end) as place:
        _, at = way_out(place, local=(place,))
        assert say(at, f"CONNECT {place} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 200")


def test_a_head_that_does_not_come_is_not_waited_for(way_out: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "_HEAD_SECONDS", 0.3)
    _, at = way_out("a.example")
    assert status(say(at, b"GET http://a.exam")) == 400


def test_connections_beyond_the_most_wait_for_their_turn(
    host: tuple[int, type[Host]], way_out: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "_MOST_CONNECTIONS", 2)
    place = f"127.0.0.1:{host[0]}"
    _, at = way_out(place, local=(place,))
    ask = f"GET http://{place}/ HTTP/1.1\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", at), timeout=20) for _ in range(2)]
    with socket.create_connection(("127.0.0.1", at), timeout=20) as waiting:
        waiting.sendall(ask)
        for connection in held:
            connection.sendall(ask)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            assert connection is held[1] or host[1].seen != []
            connection.close()
        assert waiting.recv(100).startswith(b"HTTP/1.1 200")
    assert len(host[1].seen) == 3


# --- through the network's own proxy


@pytest.mark.parametrize(("login", "shown"), [("", ""), (f"me:{SECRET}@", f"me:{SECRET}"), ("m%40e:p%2Fw@", "m@e:p/w")])
def test_hosts_are_reached_through_tunnels_of_the_networks_proxy(way_out: Open, login: str, shown: str) -> None:
    with serving(Network) as (port, network):
        proxy, at = way_out("pypi.example", "pypi.example:8080", upstream=f"http://{login}127.0.0.1:{port}")
        plain = say(at, b"GET http://PyPI.example/x HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n")
        other = say(at, b"GET http://pypi.example:8080?q HTTP/1.1\r\n\r\n")
        tunnel = say(at, b"CONNECT pypi.example:443 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n", b"hello\n")
    assert (status(plain), status(other)) == (200, 200)
    assert tunnel == b"HTTP/1.1 200 Connection established\r\n\r\nearly hello\n"
    assert [(method, path) for method, path, _, _ in network.seen] == [
        ("CONNECT", "pypi.example:80"),
        ("GET", "/x"),
        ("CONNECT", "pypi.example:8080"),
        ("GET", "/?q"),
        ("CONNECT", "pypi.example:443"),
    ]
    encoded = f"Basic {base64.b64encode(shown.encode()).decode()}"
    for method, _, headers, _ in network.seen:
        wanted = [encoded] if shown and method == "CONNECT" else []
        assert [value for name, value in headers if name == "Proxy-Authorization"] == wanted, (
            "hosts do not see the login"
        )
    assert proxy.notes.facts()["refused"] == {}


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "DELETE", "PATCH", "GET", "POST", "CONNECT"])
@pytest.mark.parametrize("code", [200, 403, 407, 500])
def test_nobody_behind_the_wall_learns_the_login_of_the_networks_proxy(way_out: Open, method: str, code: int) -> None:
    def quote(connection: socket.socket) -> None:
        with connection.makefile("rb") as asked:
            for status in (code, 200):  # for the tunnel, then what comes through it
                head = b""
                while line := asked.readline():
                    head += line
                    if line == b"\r\n":
                        break
                if not head:
                    return
                body = head if status != 200 or b"CONNECT" not in head else b""
                length = f"Content-Length: {len(body)}\r\n" if body else ""
                connection.sendall(f"HTTP/1.1 {status} Said\r\n{length}\r\n".encode() + body)

    encoded = base64.b64encode(f"me:{SECRET}".encode())
    place = "pypi.example:443" if method == "CONNECT" else "http://pypi.example/"
    with raw_host(quote) as upstream:
        _, at = way_out("pypi.example", upstream=f"http://me:{SECRET}@{upstream}")
        with socket.create_connection(("127.0.0.1", at), timeout=20) as connection:
            connection.sendall(f"{method} {place} HTTP/1.1\r\nMax-Forwards: 0\r\n\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
    assert answer
    assert encoded not in answer
    assert SECRET.encode() not in answer
    if method in {"TRACE", "OPTIONS", "DELETE", "PATCH"}:
        assert b" 405 " in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("CONNECT pypi.example:443 HTTP/1.1\r\n\r\n", False),
        ("CONNECT pypi.example:80 HTTP/1.1\r\n\r\n", True),
        ("GET http://pypi.example/ HTTP/1.1\r\n\r\n", True),
    ],
)
@pytest.mark.parametrize("refuses", [403, 405, 407])
def test_a_refused_tunnel_is_the_networks_and_is_not_quoted(
    way_out: Open, asked: str, refuses: int, hint: bool
) -> None:
    with serving(Network, refuses=refuses) as (port, _):
        proxy, at = way_out("pypi.example", upstream=f"http://me:{SECRET}@127.0.0.1:{port}")
        answer = say(at, asked.encode())
    assert status(answer) == 502
    assert f"status {refuses}".encode() in answer
    assert (b"use https" in answer) is (hint and refuses != 407)
    assert SECRET.encode() not in answer
    assert proxy.secrets == (SECRET,)
    assert list(proxy.notes.facts()["unreachable"].values()) == [1]


def test_a_proxy_that_is_not_there_is_named_as_what_it_is(way_out: Open) -> None:
    _, at = way_out("pypi.example", upstream=f"http://me:{SECRET}@127.0.0.1:{free_port()}")
    answer = say(at, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert status(answer) == 502
    assert b"the network's own proxy: Connection refused" in answer
    assert SECRET.encode() not in answer


@pytest.mark.parametrize("asked", ["10.0.0.1:80", "127.0.0.1:80", "169.254.169.254:80", "localhost:80", "[::1]:80"])
def test_private_addresses_are_not_asked_of_the_networks_proxy(way_out: Open, asked: str) -> None:
    with serving(Network) as (port, network):
        _, at = way_out(asked, upstream=f"http://127.0.0.1:{port}")
        assert status(say(at, f"CONNECT {asked} HTTP/1.1\r\n\r\n".encode())) == 403
        assert status(say(at, b"CONNECT other.example:443 HTTP/1.1\r\n\r\n")) == 403
        assert network.seen == []


def test_some_hosts_are_reached_past_the_networks_proxy(host: tuple[int, type[Host]], way_out: Open) -> None:
    place = f"localhost:{host[0]}"
    with serving(Network) as (port, network):
        _, at = way_out(place, local=(place,), upstream=f"http://127.0.0.1:{port}", direct=("localhost",))
        assert status(say(at, f"GET http://{place}/ HTTP/1.1\r\n\r\n".encode())) == 200
        assert (len(network.seen), len(host[1].seen)) == (0, 1)


@pytest.mark.parametrize(
    "terms",
    [
        {"hosts": ("*",)},
        {"hosts": ("a.org",), "local": ("http://x",)},
        {"hosts": (), "upstream": f"ftp://me:{SECRET}@a"},
    ],
)
def test_terms_that_cannot_be_understood_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        EgressProxy(Egress(**terms))
    assert SECRET not in str(caught.value)
