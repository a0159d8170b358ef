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


class Link:
    """Two sockets in a folder that is mounted into the sandbox, read-only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True, mode=0o711)
        folder.chmod(0o711)  # the folder above is for this user alone; the job may be another user
        shutil.copyfile(entry.__file__, folder / ENTRY)
        (folder / ENTRY).chmod(0o644)
        self.model = _listening(folder, entry.MODEL)
        self.life = _listening(folder, entry.LIFE)
        self.life.setblocking(False)
        self._peer: socket.socket | None = None
        self._said = b""
        self._gone = False

    @property
    def connected(self) -> bool:
        """Return True once the first process behind the wall has been there."""
        return self._peer is not None or self._gone

    def accept(self) -> socket.socket | None:
        """Take the connection of entry.py, which comes first; whoever comes later is hung up on."""
        try:
            peer, _ = self.life.accept()
        except OSError:
            return None
        if self.connected:
            peer.close()
            return None
        peer.setblocking(False)
        self._peer = peer
        return peer

    def hear(self) -> bool:
        """Read what was said; return False once the other side has hung up, and with it everything behind the wall."""
        if self._peer is None:
            return False
        try:
            words = self._peer.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            words = b""
        self._said = (self._said + words)[:4096]
        if not words:
            self._gone = True
        return bool(words)

    @property
    def began(self) -> bool:
        """Return True once the command has been started."""
        return self._said.startswith(entry.HERE)

    @property
    def status(self) -> int | None:
        """Return the command's wait status, once it has ended and that was said."""
        for line in self._said.split(b"\n")[:-1]:
            if line.startswith(entry.EXIT) and line.removeprefix(entry.EXIT).isdigit():
                return int(line.removeprefix(entry.EXIT))
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

    def end(self, seconds: float = _SECONDS) -> bool:
        """Hang up, which ends everything behind the wall; return False if that does not happen in time."""
        while self.accept() is not None:
            pass
        self.life.close()
        self.model.close()
        if self._peer is None:
            return True
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_WR)
        self._peer.settimeout(0.2)
        while not self._gone and time.monotonic() < deadline:
            try:
                words = self._peer.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                words = b""
            self._said = (self._said + words)[:4096]
            self._gone = not words
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
