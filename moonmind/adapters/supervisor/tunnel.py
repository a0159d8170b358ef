"""Copies both ways between two connections, and looks at nothing."""

import select
import socket
from collections.abc import Callable

_IDLE_SECONDS = 300.0
_CHUNK = 65536


def relay(near: socket.socket, far: socket.socket, begun: bytes, count: Callable[[int], None]) -> None:
    """Copy until both sides have hung up, or nothing has moved for long; a side that hangs up is still sent to.

    `begun` came from the near side already; `count` is told how many bytes come from the far one. Raises OSError.
    """
    flows = [_Flow(near, far, begun), _Flow(far, near)]
    for side in (near, far):
        side.setblocking(False)
    while left := [flow for flow in flows if not flow.done]:
        reading = [flow.source for flow in left if not flow.held]
        writing = [flow.sink for flow in left if flow.held]
        readable, writable, _ = select.select(reading, writing, [], _IDLE_SECONDS)
        if not readable and not writable:
            return
        for flow in left:
            if flow.held:
                if flow.sink in writable:
                    flow.write()
            elif flow.source in readable:
                flow.read()
                if flow.source is far:
                    count(len(flow.held))


class _Flow:
    """One direction of a tunnel: what was read is written before more is read."""

    def __init__(self, source: socket.socket, sink: socket.socket, held: bytes = b"") -> None:
        self.source, self.sink, self.held = source, sink, memoryview(held)
        self.done = False

    def read(self) -> None:
        """Read what is there; pass it on when there is no more to come."""
        self.held = memoryview(self.source.recv(_CHUNK))
        if not self.held:
            self.done = True
            self.sink.shutdown(socket.SHUT_WR)

    def write(self) -> None:
        """Write as much of what is held as can be."""
        self.held = self.held[self.sink.send(self.held) :]
