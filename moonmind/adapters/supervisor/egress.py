"""The way out of a build: an HTTP proxy that reaches the hosts of a list, and nothing of the host's own network.

Names are looked up here, and a connection is made to the very address that was judged: what a name leads to a moment
later does not matter. With a proxy of the network's own, names are looked up there, and so is it that decides about their
addresses: that this check is left to it is what an operator who names such a proxy accepts. Here, only what is a private
address by its writing is refused then. It is asked for tunnels and for nothing else: what answers through one never saw its
login, and what it says itself, which may quote the login, is not passed on.

What passes through a tunnel is not looked at: whoever runs a listed host decides what is behind it. Redirects are the
client's to follow, and are judged as any other request.
"""

import contextlib
import errno
import re
import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from moonmind.adapters.supervisor.egress_hosts import Bypass, HostList, Target, is_public, may_be_public, target_of
from moonmind.adapters.supervisor.egress_notes import EgressNotes, NotPassedOn
from moonmind.adapters.supervisor.http_head import VERSIONS, Head, NoHead, head_bytes, read_head
from moonmind.adapters.supervisor.order import Egress
from moonmind.adapters.supervisor.plain_request import absolute, ask, heard
from moonmind.adapters.supervisor.tunnel import relay
from moonmind.adapters.supervisor.upstream import Upstream

_MOST_CONNECTIONS = 64
"""At once; more of them wait for their turn."""
_MOST_ADDRESSES = 6
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_PART_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_CHUNK = 65536
_METHOD = re.compile(r"[A-Z]{1,20}")
_PLACE = re.compile(r"[!-~]+")
_PLAIN_METHODS = ("GET", "HEAD", "POST", "PUT")
"""What package managers use; TRACE, above all, has whoever answers quote what it was sent."""

_Place = tuple[socket.AddressFamily, tuple[Any, ...]]
"""An address with its port, as the system writes both."""


class EgressProxy:
    """Serves one build. `notes` says what it asked for in vain, `secrets` what no log may hold."""

    def __init__(self, terms: Egress) -> None:
        """Read the terms. Raises ValueError where they cannot be understood."""
        self.notes = EgressNotes()
        self._hosts, self._local = HostList(terms.hosts), HostList(terms.local)
        self._upstream = Upstream.of(terms.upstream) if terms.upstream else None
        self.secrets = (self._upstream.password,) if self._upstream is not None else ()
        self._direct = Bypass(terms.direct)
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)

    def serve(self, listener: socket.socket) -> None:
        """Begin to answer there, in threads that end with the process, or once the socket is shut down."""
        threading.Thread(target=self._accept, args=(listener,), name="egress", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            self._free.acquire()
            try:
                near, _ = listener.accept()
                threading.Thread(target=self._meet, args=(near,), daemon=True).start()
            except (OSError, RuntimeError) as error:  # too many files or threads, above all: those that are there end
                self._free.release()
                if isinstance(error, OSError) and error.errno in (errno.EBADF, errno.EINVAL):
                    return
                time.sleep(_PAUSE_SECONDS)

    def _meet(self, near: socket.socket) -> None:
        """Serve a connection, and one request, to its end."""
        try:
            # What breaks after an answer has begun, at either end, can only be said by hanging up.
            with near, contextlib.suppress(OSError):
                try:
                    if (asked := read_head(near, _HEAD_SECONDS)) is not None:
                        self._pass_on(near, *asked)
                except NoHead as error:
                    _answer(near, NotPassedOn(400, "Bad Request", f"not a request of HTTP/1 to a proxy: {error}"))
                except NotPassedOn as answer:
                    _answer(near, answer)
                _part(near)
        finally:
            self._free.release()

    def _pass_on(self, near: socket.socket, head: Head, begun: bytes) -> None:
        method, place, version = head.first
        if version not in VERSIONS or not _METHOD.fullmatch(method) or not _PLACE.fullmatch(place):
            raise NoHead("its first line is not one of HTTP/1")
        try:
            target = target_of(place) if method == "CONNECT" else absolute(place)[0]
        except ValueError as error:
            raise NoHead(str(error)) from None
        if method not in ("CONNECT", *_PLAIN_METHODS):
            raise NotPassedOn(
                405, "Method Not Allowed", f"{method} is not passed on, only {', '.join(_PLAIN_METHODS)} and CONNECT"
            )
        with self._dial(target) as (far, upstream):
            early = self._tunnel(far, target, upstream) if upstream is not None else b""
            if method != "CONNECT":
                ask(near, far, (head, begun), self.notes, early)
                return
            self.notes.receive(len(early))
            near.sendall(head_bytes("HTTP/1.1 200 Connection established", ()) + early)
            relay(near, far, begun, self.notes.receive)

    @contextlib.contextmanager
    def _dial(self, target: Target) -> Iterator[tuple[socket.socket, Upstream | None]]:
        """Connect to a host, or to the proxy by which it is reached, which is then returned too. Raises NotPassedOn."""
        if not self._hosts.holds(target):
            raise self.notes.unlisted(target)
        local = self._local.holds(target)
        if not local and not may_be_public(target):
            raise self.notes.private(target)
        upstream = None if self._upstream is None or self._direct.holds(target) else self._upstream
        try:
            if upstream is not None:
                found = _addresses(upstream.host, upstream.port)
            else:
                found = [place for place in _addresses(target.host, target.port) if local or _is_public(place)]
                if not found:
                    raise self.notes.private(target)
            far = _connected(found)
        except OSError as error:
            at = "the network's own proxy: " if upstream is not None else ""
            raise self.notes.unreachable(target, f"{at}{error.strerror or error}") from error
        with far:
            yield far, upstream

    def _tunnel(self, far: socket.socket, target: Target, upstream: Upstream) -> bytes:
        """Have the network's proxy make a tunnel; return what came through it already. Raises NotPassedOn."""
        far.settimeout(_HEAD_SECONDS)
        # One that hangs up may have answered.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            far.sendall(head_bytes(f"CONNECT {target} HTTP/1.1", [("Host", str(target)), *upstream.headers]))
        head, begun = heard(far, target, self.notes)
        status = head.first[1]
        if not status.startswith("2"):
            # Many proxies make tunnels to port 443 alone.
            hint = "" if target.port == 443 or status == "407" else "; use https, or list it in the worker's NO_PROXY"
            words = f"the network's own proxy makes no tunnel to it, it answers with status {status}{hint}"
            raise self.notes.unreachable(target, words)
        return begun


def _addresses(host: str, port: int) -> list[_Place]:
    """Look a host up, once. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places: list[_Place] = [(family, place) for family, _, _, _, place in found]
    return places[:_MOST_ADDRESSES]


def _is_public(place: _Place) -> bool:
    return is_public(ip_address(str(place[1][0]).partition("%")[0]))  # the system may add a zone


def _connected(addresses: list[_Place]) -> socket.socket:
    """Connect to the first of these addresses that answers. Raises OSError."""
    failed = OSError("it has no address")
    for family, place in addresses:
        far = socket.socket(family, socket.SOCK_STREAM)
        try:
            far.settimeout(_CONNECT_SECONDS)
            far.connect(place)
        except OSError as error:
            far.close()
            failed = error
        else:
            return far
    raise failed


def _answer(near: socket.socket, stop: NotPassedOn) -> None:
    near.settimeout(_HEAD_SECONDS)
    body = f"{stop.words}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    near.sendall(head_bytes(f"HTTP/1.1 {stop.status} {stop.reason}", headers) + body)


def _part(near: socket.socket) -> None:
    """Hang up so that all that was said is heard: what is unread when a socket is closed takes the answer along."""
    near.shutdown(socket.SHUT_WR)
    near.settimeout(_PART_SECONDS)
    deadline = time.monotonic() + _PART_SECONDS
    while time.monotonic() < deadline and near.recv(_CHUNK):
        pass
