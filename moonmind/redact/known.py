"""Finds known secrets in bytes. The time is that of one pass, however many secrets there are and whatever the bytes."""

import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST = 12
"""Characters of the shortest shape that is looked for; a shorter one is met by chance."""

_WORD = 4
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def forms(secret: str) -> frozenset[str]:
    """List the shapes in which a secret travels: raw, in a URL, in JSON, in base64 at each of its three alignments."""
    raw = secret.encode()
    quoted = quote(secret, safe="")
    shapes = {secret, quoted, _ESCAPE.sub(lambda found: found[0].lower(), quoted), json.dumps(secret)[1:-1]}
    for shift in range(3):
        # A secret inside a longer base64 text starts at one of three alignments; edge characters mix with neighbours.
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        middle = text[(0, 2, 3)[shift] : len(text) - (1 if (len(raw) + shift) % 3 else 0)]
        shapes |= {middle, middle.replace("+", "-").replace("/", "_")}
    return frozenset(shape for shape in shapes if len(shape) >= SHORTEST)


class Known:
    """Byte strings to look for, all at once.

    Bytes that hold a shape of seven bytes or more hold four bytes of its middle at a place that four divides. These
    words of four bytes are looked up in one table; only where one is met, its shape is looked for.
    """

    def __init__(self, shapes: Iterable[bytes]) -> None:
        self._table: dict[int, set[bytes]] = {}
        for shape in shapes:
            middle = (len(shape) - (2 * _WORD - 1)) // 2
            for offset in range(middle, middle + _WORD):
                word = int.from_bytes(shape[offset : offset + _WORD], sys.byteorder)
                self._table.setdefault(word, set()).add(shape)

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where shapes stand, in order; those that overlap are one."""
        words = memoryview(data)[: len(data) // _WORD * _WORD].cast("I")
        table = self._table
        if table.keys().isdisjoint(words):
            return []
        maybe = {shape for word in set(words) & table.keys() for shape in table[word]}
        return _merged(span for shape in maybe for span in _places(data, shape))


def _places(data: bytes, shape: bytes) -> Iterator[tuple[int, int]]:
    end = 0
    while (start := data.find(shape, end)) >= 0:
        end = start + len(shape)
        yield start, end


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
