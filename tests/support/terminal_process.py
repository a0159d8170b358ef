"""A process at a terminal of its own: it is typed to, and what it prints is read, as a person would."""

import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.waiting import PATIENCE, until

CTRL_C, CTRL_D = "\x03", "\x04"
"""As the terminal sends them."""


class TerminalProcess:
    """A command as the first process of a terminal's session, so that Ctrl-C reaches it as a signal."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80) -> None:
        self._shown = b""
        self._seen = 0
        self._terminal, inside = os.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.set_blocking(self._terminal, False)
        self._child = subprocess.Popen(
            ["setsid", "--ctty", *argv], stdin=inside, stdout=inside, stderr=inside, env=dict(env), cwd=cwd
        )
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._child.kill()
        self._child.wait(PATIENCE)
        os.close(self._terminal)

    def shown(self) -> str:
        """Return what the terminal has shown so far."""
        try:
            while part := os.read(self._terminal, 1 << 16):
                self._shown += part
        except OSError:
            pass  # nothing more yet, or the end of a terminal that nobody holds open any more
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    def await_text(self, text: str) -> None:
        """Wait until it shows this, after what was waited for before."""
        try:
            place = until(lambda: self.shown().find(text, self._seen) + 1, repr(text))
        except AssertionError as error:
            raise AssertionError(f"{error}; after what was seen before: {self.shown()[self._seen :]!r}") from None
        self._seen = place - 1 + len(text)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())
