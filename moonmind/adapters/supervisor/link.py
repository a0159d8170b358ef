"""The supervisor's side of a job behind a wall: the sockets that entry.py connects to, and what they say."""

import contextlib
import os
import shutil
import socket
import time
from pathlib import Path

from moonmind.adapters.supervisor import entry

PORT = 8484
"""Behind the wall: where the command finds the model. The network there is its own, so the number is free."""
URL = f"http://127.0.0.1:{PORT}"
ENTRY = "entry.py"
"""The name, in the link's folder, of the program that is run first behind the wall."""
_SECONDS = 10.0
_CHUNK = 4096
_WORDS = 3
"""Most pieces in which what the first process says at its end may come."""


class Link:
    """Two sockets in a folder that is mounted into the sandbox, read-only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True, mode=0o711)
        folder.chmod(0o711)  # the folder above is for this user alone; the job may be another user
        shutil.copyfile(entry.__file__, folder / ENTRY)
        (folder / ENTRY).chmod(0o644)
        self._model: socket.socket | None = _listening(folder, entry.MODEL)
        self.life = _listening(folder, entry.LIFE)
        self.life.setblocking(False)
        self._peer: socket.socket | None = None
        self._said = b""
        self._gone = False

    def take_model(self) -> socket.socket | None:
        """Hand the socket of the model over to whoever answers there; it is theirs to close."""
        model, self._model = self._model, None
        return model

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Return what may be waited on: the socket on which the other side is expected, and the one to it."""
        return (self.life,) if self._peer is None else (self.life, self._peer)

    @property
    def connected(self) -> bool:
        """Return True once the first process behind the wall has been there."""
        return self._peer is not None

    def accept(self) -> socket.socket | None:
        """Take the one connection of entry.py, which comes before the command is started; None while it is not there."""
        if self._peer is not None:
            return None
        try:
            self._peer, _ = self.life.accept()
        except OSError:
            return None
        self._peer.setblocking(False)
        return self._peer

    def hear(self) -> bool:
        """Read what was said; return False once the other side has hung up, and with it everything behind the wall."""
        if self._peer is None or self._gone:
            return False
        try:
            self._take(self._peer.recv(_CHUNK))
        except BlockingIOError:
            return True
        except OSError:
            self._take(b"")
        return not self._gone

    def heard_out(self) -> int | None:
        """Return the command's wait status, once the program that built the wall has ended."""
        for _ in range(_WORDS):
            if self.status is None:
                self.hear()
        return self.status

    def _take(self, words: bytes) -> None:
        self._said = (self._said + words)[:_CHUNK]
        self._gone = self._gone or not words

    @property
    def began(self) -> bool:
        """Return True once the command has been started."""
        return self._said.startswith(entry.HERE)

    @property
    def status(self) -> int | None:
        """Return the command's wait status, once it has ended and that was said."""
        for line in self._said.split(b"\n")[:-1]:
            number = line.removeprefix(entry.EXIT)
            if line.startswith(entry.EXIT) and number.isdigit():
                return int(number)
        return None

    def signal(self, number: int) -> bool:
        """Send the command a signal; return False where nobody is there to pass it on."""
        if self._peer is None or self._gone:
            return False
        try:
            self._peer.send(bytes([number]))
        except OSError:
            return False
        return True

    def hang_up(self) -> None:
        """Have everything behind the wall end, without waiting for it."""
        if self._peer is not None and not self._gone:
            with contextlib.suppress(OSError):
                self._peer.shutdown(socket.SHUT_WR)

    def end(self, seconds: float = _SECONDS) -> bool:
        """Hang up and wait until nothing is left behind the wall; return False if that takes too long."""
        if self._peer is None:
            self.accept()  # it may be just coming
        self.life.close()
        if self._model is not None:
            self._model.close()
        if self._peer is None:
            return True
        self.hang_up()
        deadline = time.monotonic() + seconds
        while not self._gone and (left := deadline - time.monotonic()) > 0:
            self._peer.settimeout(left)
            try:
                self._take(self._peer.recv(_CHUNK))
            except TimeoutError:
                break
            except OSError:
                self._take(b"")
        self._peer.close()
        return self._gone


def _listening(folder: Path, name: str) -> socket.socket:
    """Listen on a socket of the folder, by way of a descriptor: a socket's address is short, and a path may be long."""
    (folder / name).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{name}")
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(descriptor)
    (folder / name).chmod(0o666)
    return listener
