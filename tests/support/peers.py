"""Peers of a server without a token: made up for tests that bring no sockets, and real ones of other users."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGUSR1

from starlette.types import Scope

from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
NOBODY = 65534
DAEMON = 1

_SERVER = """
import os, signal, sys, types
from api_service.app import create_app
from moonmind.settings import Settings
import socket, uvicorn

quiet = types.SimpleNamespace(settings=Settings(_env_file=None), preflight=types.SimpleNamespace(run=list))
app = create_app(container=quiet)

async def told(scope, receive, send):
    async def watched(message):
        if message["type"] == "http.response.start":
            print("answered", message["status"], flush=True)
        await send(message)
    await app(scope, receive, watched)

narrow = socket.create_server(("127.0.0.1", 0))
wide = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

def become(signum, frame):
    os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
    print("user", os.geteuid(), flush=True)

signal.signal(signal.SIGUSR1, become)
print("ports", narrow.getsockname()[1], wide.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(told, log_config=None, lifespan="on")).run(sockets=[narrow, wide])
"""
"""It serves as root until it has imported everything: the user that it becomes may not be allowed to read these files."""

_CLIENT = """
import os, socket, sys
address, port, times, extra, then, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6], int(sys.argv[6])
os.setgroups([]); os.setgid(user); os.setuid(user)
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as asking:
    asking.settimeout(20)
    asking.connect((address, port))
    for _ in range(times):
        asking.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n" + extra.encode() + b"\\r\\n")
        if then == "wait":
            answer = asking.recv(65536)
            while b'"}' not in answer and (more := asking.recv(65536)):
                answer += more
            print(answer.split()[1].decode())
"""


async def ours(_scope: Scope) -> int:
    """Take every peer for one of our own user."""
    return os.geteuid()


class Answering:
    """A server without a token, in a process of some user, on IPv4 alone and on both kinds of address."""

    def __init__(self, process: "subprocess.Popen[bytes]", lines: Path) -> None:
        self._process = process
        self._lines = lines
        until(lambda: "ports" in lines.read_text(), "the server's ports")
        self.narrow, self.wide = (int(port) for port in lines.read_text().split("\n")[0].split()[1:])
        assert self.ask(0, "127.0.0.1", self.narrow) + self.ask(NOBODY, "127.0.0.1", self.narrow) == [200, 403]
        process.send_signal(SIGUSR1)
        until(lambda: "\nuser " in lines.read_text(), "the server's own user")

    def answered(self) -> list[int]:
        """Return the statuses that the server answered with, also to peers that were gone by then."""
        return [int(line.split()[1]) for line in self._lines.read_text().splitlines() if line.startswith("answered")]

    def ask(self, user: int, address: str, port: int, *, times: int = 1, header: str = "") -> list[int]:
        """Ask as this user over one connection, and return the statuses."""
        return [int(status) for status in _client(user, address, port, times, header, "wait").split()]

    def ask_and_close(self, user: int, address: str, port: int) -> list[int]:
        """Ask as this user and close before the server looks; return what the server still answered."""
        before = len(self.answered())
        os.kill(self._process.pid, SIGSTOP)
        try:
            _client(user, address, port, 1, "", "close")
        finally:
            os.kill(self._process.pid, SIGCONT)
        until(lambda: len(self.answered()) > before, "the answer to a peer that is gone")
        return self.answered()[before:]


@contextmanager
def answering(user: int, folder: Path) -> Iterator[Answering]:
    """Serve as this user."""
    lines = folder / f"server-{user}-{time.monotonic_ns()}.txt"
    with lines.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(user)],
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Answering(process, lines)
    finally:
        process.kill()
        process.wait()


def connected(address: str, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection to a listener, as client and server hold them."""
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    client.connect((address, listener.getsockname()[1]))
    return client, listener.accept()[0]


def _client(user: int, address: str, port: int, times: int, header: str, then: str) -> str:
    # It becomes the user by itself: that user may not be allowed to run this interpreter.
    argv = [sys.executable, "-I", "-S", "-c", _CLIENT, address, str(port), str(times), header, then, str(user)]
    asked = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout
