"""Turns a pipe's chunks into lines and keeps them: lines of any length come in, files of bounded length come out."""

import os
from collections.abc import Iterator
from pathlib import Path


class LineBuffer:
    """Cuts chunks into lines. A line longer than the limit (bytes) comes as its beginning; the rest is counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield each complete line, without its line end, and how many of its bytes were dropped."""
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._add(piece)
            yield self._take()
        self._add(rest)

    def rest(self) -> Iterator[tuple[bytes, int]]:
        """Yield the incomplete line after the last line end, if there is one."""
        if self._parts:
            yield self._take()

    def _add(self, piece: bytes) -> None:
        room = self._limit - len(self._parts)
        self._parts += piece[:room]
        self._cut += max(len(piece) - room, 0)

    def _take(self) -> tuple[bytes, int]:
        line, cut = bytes(self._parts), self._cut
        self._parts.clear()
        self._cut = 0
        return line, cut


class ScreenLines(LineBuffer):
    """Lines as a screen would show them in the end: of what was overwritten after a carriage return, nothing is kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._returned = False

    def _add(self, piece: bytes) -> None:
        text = piece.rstrip(b"\r")  # what ends a line, and may come in another chunk than its line feed
        start = text.rfind(b"\r") + 1
        if text and (start or self._returned):
            self._take()
        super()._add(text[start:])
        self._returned = len(text) < len(piece) or (self._returned and not piece)

    def _take(self) -> tuple[bytes, int]:
        self._returned = False
        return super()._take()


class LogFile:
    """Appends whole lines to a file, up to a limit in bytes; a reader never sees half a line for long."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._left = limit

    def add(self, line: bytes) -> None:
        """Write one line, or nothing once the limit is reached. Raises OSError, above all for a full disk."""
        data = line + b"\n"
        if self._left is not None:
            if len(data) > self._left:
                self._left = 0
                return
            self._left -= len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        """Flush to the disk and close."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)
