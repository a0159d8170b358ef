"""Finds known secrets in bytes. The time is that of one pass, however many secrets there are and whatever the bytes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, repeat

_WORD = 4
_BLANKS = b" \t\r\\"
_JOINTS = b" \t\r\\+-.&,;()"
_QUOTES = b"\"'`"


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
        """Return where shapes stand, in order; those that overlap are one.

        A shape that is broken over lines is found too, whether the lines are indented, carry the signs of a diff, or
        are string literals that are joined: each of its pieces is a span.
        """
        found = self._whole(data)
        if b"\n" in data and self._table:
            dense = data
            while b"\n\n" in dense:
                dense = dense.replace(b"\n\n", b"\n")
            for read in _readings(data):
                if self._whole(b"".join(read(dense))):
                    found += self._broken(_placed(data, read))
        return _merged(found) if found else found

    def _broken(self, lines: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
        joined = b"".join(line for _, line in lines)
        found = self._whole(joined)
        if not found:
            return found
        ends = list(accumulate(len(line) for _, line in lines))
        pieces = []
        number = 0
        for start, end in sorted(found):
            while ends[number] <= start:
                number += 1
            last = number
            while True:
                place, line = lines[last]
                before = ends[last] - len(line)
                if min(end, ends[last]) > max(start, before):
                    pieces.append((place + max(start, before) - before, place + min(end, ends[last]) - before))
                if ends[last] >= end:
                    break
                last += 1
        return pieces

    def _whole(self, data: bytes) -> list[tuple[int, int]]:
        words = memoryview(data)[: len(data) // _WORD * _WORD].cast("I")
        table = self._table
        if table.keys().isdisjoint(words):
            return []
        maybe = {shape for word in set(words) & table.keys() for shape in table[word]}
        return [span for shape in maybe for span in _places(data, shape)]


def _readings(data: bytes) -> Iterator[Callable[[bytes], Iterable[bytes]]]:
    """Return ways to read lines without what stands between the pieces of a broken text.

    First only what a plain break leaves: indentation, a backslash, a diff's sign. Then quotes and the operators that
    join literals too, where there are quotes.
    """
    yield _plain
    if any(quote in data for quote in (b'"', b"'", b"`")):
        yield _literals


def _plain(data: bytes) -> Iterable[bytes]:
    if data.startswith(b"diff --git "):
        data = data.replace(b"\n+", b"\n").replace(b"\n-", b"\n")
    return map(bytes.strip, data.split(b"\n"), repeat(_BLANKS))


def _literals(data: bytes) -> Iterable[bytes]:
    return map(bytes.strip, map(bytes.strip, data.split(b"\n"), repeat(_JOINTS)), repeat(_QUOTES))


def _placed(data: bytes, read: Callable[[bytes], Iterable[bytes]]) -> list[tuple[int, bytes]]:
    """Return what is read of each line and where it stands; slower, so for texts that hold something."""
    lines = data.split(b"\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    return [(start + line.rfind(rest), rest) for start, line, rest in zip(starts, lines, read(data), strict=False)]


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
