"""A wire between two programs that can be cut, blocked and restored, always on the same port."""

import contextlib
import socket
import struct
import threading
import time
from typing import Self

_RESET = struct.pack("ii", 1, 0)
_BACKLOG = 64


class TcpProxy:
    """Passes bytes on to a server; cut, it refuses connections and resets those there were."""

    def __init__(self, host: str, port: int, *, keeps: bool = False) -> None:
        self._upstream = (host, port)
        self._keeps = keeps
        self._kept: dict[socket.socket, bytearray] = {}
        self._guard = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._links: set[socket.socket] = set()
        self.delay = 0.0
        """Seconds that each piece takes on its way."""
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def passed(self) -> bytes:
        """Return everything that went through, each direction of each connection in one piece."""
        with self._guard:
            return b"\0".join(bytes(kept) for kept in self._kept.values())

    def cut(self) -> None:
        """Take the server away, as its crash or a pulled cable would."""
        self._flowing.set()
        with self._guard:
            # A blocked accept keeps the port open until it is woken, so it is shut down before it is closed.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            links, self._links = self._links, set()
        for link in links:
            _drop(link)

    def reset(self) -> None:
        """Reset the connections that there are; new ones are taken at once."""
        with self._guard:
            links, self._links = self._links, set()
        for link in links:
            _drop(link)

    def block(self) -> None:
        """Let no byte pass any more, in silence: connections stay, and new ones are taken."""
        self._flowing.clear()

    def unblock(self) -> None:
        """Let pass what waited, and everything after it."""
        self._flowing.set()

    def restore(self) -> None:
        """Bring it back on the same port."""
        self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._upstream, 10)
            except OSError:
                _drop(client)
                continue
            server.settimeout(None)
            with self._guard:
                if listener is not self._listener or listener.fileno() < 0:
                    _drop(client)
                    _drop(server)
                    return
                self._links |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end hung up, or the wire was cut
            while data := source.recv(65536):
                if self._keeps:
                    with self._guard:
                        self._kept.setdefault(source, bytearray()).extend(data)
                self._flowing.wait()
                if self.delay:
                    time.sleep(self.delay)
                target.sendall(data)
        with self._guard:
            self._links -= {source, target}
        _drop(source)
        _drop(target)


def _drop(link: socket.socket) -> None:
    """Close with a reset, which the other end notices at once."""
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
