"""Keeps what a command prints as text: masks it line by line, and remembers the last lines for whoever asks why it failed."""

from collections import deque
from typing import Any

from moonmind.redact import Redactor

_LAST_LINES = 20
_LAST_CHARACTERS = 4000


class Printout:
    """What one command has printed so far. It has neither a conversation nor a turn, as an agent's transcript has."""

    thread_id: str | None = None
    completed = False

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._last: deque[str] = deque(maxlen=_LAST_LINES)

    def take(self, line: bytes, cut: int = 0) -> tuple[bytes, bool]:
        """Return the line as it may be logged, and True since every line shows that the command works.

        `cut` bytes of it are missing at its end.
        """
        text = line.decode("utf-8", "replace") + (f" [{cut} more bytes were left out]" if cut else "")
        if text.strip():
            self._last.append(text)
        return self._redactor.text(text).encode("utf-8", "replace"), True

    def facts(self) -> dict[str, Any]:
        """Return the last lines, ready for JSON."""
        # Masked as a whole: a secret may be broken over lines.
        return {"output": self._redactor.text("\n".join(self._last))[-_LAST_CHARACTERS:]}
