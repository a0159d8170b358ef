"""Read one byte range of a Range header. Pure."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(?P<first>\d{0,18})-(?P<last>\d{0,18})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file: `[start, end)` in bytes."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Count its bytes."""
        return self.end - self.start

    def header(self, size: int) -> str:
        """Return the Content-Range header for this part of a file of `size` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def read_range(header: str | None, size: int) -> Span | None:
    """Return the part that a Range header asks for; None means the whole file.

    What is not one well-formed byte range is ignored, as RFC 9110 wants. A range outside of the file is an empty Span.
    """
    asked = _ONE_RANGE.fullmatch(header) if header else None
    if asked is None or (not asked["first"] and not asked["last"]):
        return None
    if not asked["first"]:
        return Span(max(0, size - int(asked["last"])), size)
    start = int(asked["first"])
    end = min(size, int(asked["last"]) + 1) if asked["last"] else size
    if asked["last"] and int(asked["last"]) < start:
        return None
    return Span(start, end) if start < end else Span(size, size)
