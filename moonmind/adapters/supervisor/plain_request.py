"""One request of HTTP without TLS, passed on to its host, and its answer passed back.

Each takes a connection of its own on both sides: nothing that follows a request can be taken for another one.
"""

import re
import socket
from collections.abc import Iterator

from moonmind.adapters.supervisor.egress_hosts import Target, target_of
from moonmind.adapters.supervisor.egress_notes import EgressNotes, NotPassedOn
from moonmind.adapters.supervisor.http_head import VERSIONS, Head, NoHead, head_bytes, read_head

_IDLE_SECONDS = 300.0
_CHUNK = 65536
_STATUS = re.compile(r"[1-5][0-9]{2}")


def absolute(place: str) -> tuple[Target, str]:
    """Return host and path of `http://host/path`. Raises ValueError, also for what is a path alone."""
    scheme, _, rest = place.partition("://")
    if scheme.lower() != "http":
        raise ValueError("a plain request has to name a host, as in http://host/path; https takes CONNECT")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(host) :]
    if "#" in path:
        raise ValueError("an address has no fragment here")
    return target_of(host, 80), path if path.startswith("/") else f"/{path}"


def ask(
    near: socket.socket, far: socket.socket, asked: tuple[Head, bytes], notes: EgressNotes, early: bytes = b""
) -> None:
    """Pass a request on, and its answer back, of which some came `early`.

    Raises ValueError, NoHead, NotPassedOn; OSError once there was an answer.
    """
    head, begun = asked
    target, path = absolute(head.first[1])
    length = head.length() or 0
    for side in (near, far):
        side.settimeout(_IDLE_SECONDS)
    if length and head.values("expect"):
        near.sendall(head_bytes("HTTP/1.1 100 Continue", ()))
    if _sent(far, _request(head, target, path)):
        for chunk in _body(near, begun, length):
            if not _sent(far, chunk):
                break
    answer, begun = heard(far, target, notes, early)
    while answer.first[1].startswith("1"):
        answer, begun = heard(far, target, notes, begun)
    try:
        announced = _announced(head, answer)
    except NoHead as error:
        raise notes.unreachable(target, f"its answer cannot be understood: {error}") from error
    near.sendall(_response(answer))
    for chunk in _body(far, begun, announced):
        notes.receive(len(chunk))
        near.sendall(chunk)


def heard(far: socket.socket, target: Target, notes: EgressNotes, begun: bytes = b"") -> tuple[Head, bytes]:
    """Read the head of an answer, and what came with it. Raises NotPassedOn where there is none."""
    try:
        found = read_head(far, _IDLE_SECONDS, begun)
    except NoHead as error:
        raise notes.unreachable(target, f"its answer cannot be understood: {error}") from error
    if found is None:
        raise notes.unreachable(target, "it hung up without an answer")
    version, status, _ = found[0].first
    if version not in VERSIONS or not _STATUS.fullmatch(status) or status == "101":
        raise notes.unreachable(target, "its answer is not one of HTTP/1")
    return found


def _request(head: Head, target: Target, path: str) -> bytes:
    if head.values("transfer-encoding"):
        raise NotPassedOn(411, "Length Required", "a body without a Content-Length is not passed on")
    method, _, version = head.first
    host = target.written if target.port == 80 else str(target)
    headers = [("Host", host), *head.passed_on("host", "content-length", "max-forwards"), ("Connection", "close")]
    if head.length() is not None:
        headers.append(("Content-Length", str(head.length())))
    return head_bytes(f"{method} {path} {version}", headers)


def _response(answer: Head) -> bytes:
    _, status, reason = answer.first
    # The body is passed on as it is, in its chunks where it has some.
    coded = [("Transfer-Encoding", value) for value in answer.values("transfer-encoding")]
    length = [] if coded else [("Content-Length", value) for value in answer.values("content-length")]
    headers = [*answer.passed_on("content-length"), *coded, *length, ("Connection", "close")]
    return head_bytes(f"HTTP/1.1 {status} {reason}", headers)


def _announced(head: Head, answer: Head) -> int | None:
    """Return how long the body of an answer is; None where its end is the connection's, or is marked in it. Raises NoHead."""
    if head.first[0] == "HEAD" or answer.first[1] in ("204", "304"):
        return 0
    return None if answer.values("transfer-encoding") else answer.length()


def _sent(far: socket.socket, data: bytes) -> bool:
    """Send, or return False where the host has heard enough: it may answer and hang up before it has the whole body."""
    try:
        far.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _body(source: socket.socket, begun: bytes, length: int | None) -> Iterator[bytes]:
    """Yield this many bytes, or all there are. Raises OSError, also where they end early."""
    left = length
    chunk = begun[:left]
    while True:
        if chunk:
            yield chunk
        if left is not None:
            left -= len(chunk)
            if left == 0:
                return
        chunk = source.recv(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk and left is None:
            return
        if not chunk:
            raise ConnectionAbortedError("the body ends early")
