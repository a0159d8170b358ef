"""The head of an HTTP/1 message, read strictly: what two programs could read in two ways is refused."""

import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

LIMIT = 65536
"""Bytes of a head."""
VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_MOST_HEADERS = 200
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_FOR_ONE_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect"}
)


class NoHead(Exception):
    """What came is not the head of a message of HTTP/1, or not in time."""


@dataclass(frozen=True, slots=True)
class Head:
    """A first line and headers, in their order. Bytes that are not ASCII are carried as Latin-1."""

    first: tuple[str, str, str]
    """The first line's three parts."""
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Return the values of a header, in any case of its name."""
        return [value for known, value in self.headers if known.lower() == name]

    def passed_on(self, *but: str) -> list[tuple[str, str]]:
        """List the headers that are not for this connection alone, without those named."""
        named = {word.strip().lower() for value in self.values("connection") for word in value.split(",")}
        left_out = _FOR_ONE_HOP | named | set(but)
        return [
            (name, value)
            for name, value in self.headers
            if name.lower() not in left_out and not name.lower().startswith("proxy-")
        ]

    def length(self) -> int | None:
        """Return how many bytes of a body are announced; None where that is not said. Raises NoHead."""
        values = self.values("content-length")
        if not values:
            return None
        if len(values) > 1 or self.values("transfer-encoding") or not re.fullmatch(r"[0-9]{1,15}", values[0]):
            raise NoHead("the length of the body is not clear")
        return int(values[0])


def read_head(connection: socket.socket, seconds: float, begun: bytes = b"") -> tuple[Head, bytes] | None:
    """Read a head, of which some may be `begun`, and return it with what came after it. Raises NoHead.

    None comes back where the other side hung up at once.
    """
    deadline = time.monotonic() + seconds
    taken = bytearray(begun)
    while (end := taken.find(b"\r\n\r\n")) < 0:
        if len(taken) > LIMIT:
            raise NoHead("its head is too long")
        if (left := deadline - time.monotonic()) <= 0:
            raise NoHead("its head took too long")
        connection.settimeout(left)
        try:
            chunk = connection.recv(8192)
        except TimeoutError:
            continue
        except OSError as error:
            raise NoHead(f"its head did not arrive: {error.strerror}") from error
        if not chunk:
            if taken:
                raise NoHead("its head ends early")
            return None
        taken += chunk
    return _parsed(bytes(taken[:end])), bytes(taken[end + 4 :])


def head_bytes(first: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a head as it is sent."""
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parsed(head: bytes) -> Head:
    first, *lines = head.split(b"\r\n")
    # The reason of a response has blanks in it, and may be missing with the blank before it; a request's line has two.
    parts = first.split(b" ", 2)
    if len(parts) < 3:
        parts.append(b"")
    if len(parts) != 3 or not _VALUE.fullmatch(first) or len(lines) > _MOST_HEADERS:
        raise NoHead("its first line is not one of HTTP/1, or its headers are too many")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise NoHead("a header is not one of HTTP/1")
        headers.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
    one, two, three = (part.decode("latin-1") for part in parts)
    return Head((one, two, three), tuple(headers))
