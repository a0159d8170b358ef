"""The shapes in which a secret travels: plain, quoted, encoded."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

SHORTEST = 8
"""Bytes of the shortest shape that is looked for; a shorter one is met by chance."""

_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def forms(secret: str) -> frozenset[bytes]:
    """Return the shapes of a secret as bytes; none where the secret is too short to be looked for.

    Raw and reversed; in a URL, with every sign escaped or only some; in JSON and in string literals; in hexadecimal;
    in UTF-16 and UTF-32; in base32, in base64, in base64 of base64 and of UTF-16, each at all of its alignments.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    if len(raw) < SHORTEST:
        return frozenset()
    return frozenset(shape for shape in _shapes(secret, raw) if len(shape) >= SHORTEST)


def _shapes(secret: str, raw: bytes) -> Iterator[bytes]:
    yield raw
    yield secret[::-1].encode("utf-8", "surrogatepass")
    quoted = quote(raw, safe="")
    for text in (quoted, _ESCAPE.sub(lambda found: found[0].lower(), quoted), json.dumps(secret)[1:-1]):
        yield text.encode()
    yield from _hexadecimal(raw)
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        # Without the zeros at either end, it is the same in both byte orders.
        yield secret.encode(encoding, "surrogatepass").strip(b"\0")
    yield from _base32(raw)
    for wide in (raw, secret.encode("utf-16-le", "surrogatepass")):
        for once in _base64(wide):
            yield once
            yield from _base64(once)


def _hexadecimal(raw: bytes) -> Iterator[bytes]:
    digits = [f"{byte:02x}" for byte in raw]
    for form in ("".join(digits), " ".join(digits), ":".join(digits)):
        yield form.encode()
        yield form.upper().encode()
    for mark in ("%", "\\x", "\\u00"):
        yield "".join(mark + pair for pair in digits).encode()
        yield "".join(mark + pair.upper() for pair in digits).encode()
    yield ", ".join("0x" + pair for pair in digits).encode()


def _base64(raw: bytes) -> set[bytes]:
    found = set()
    for shift in range(3):
        # Inside a longer text it starts at one of three alignments; edge characters mix with neighbours.
        text = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        middle = text[(0, 2, 3)[shift] : len(text) - (1 if (len(raw) + shift) % 3 else 0)]
        found |= {middle, middle.replace(b"+", b"-").replace(b"/", b"_")}
    return {shape for shape in found if len(shape) >= SHORTEST}


def _base32(raw: bytes) -> Iterator[bytes]:
    for shift in range(5):
        text = base64.b32encode(b"\0" * shift + raw).rstrip(b"=")
        # Five bits a sign: those that only this secret decides.
        middle = text[-(-8 * shift // 5) : 8 * (shift + len(raw)) // 5]
        yield middle
        yield middle.lower()
