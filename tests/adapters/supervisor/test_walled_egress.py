"""A build behind a real wall: it reaches the hosts of its list through its supervisor, and nothing else by any means."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.jobs.job_results import read_result
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.link import ENTRY, PORT, URL
from moonmind.adapters.supervisor.order import Egress
from moonmind.ports.agent import JobEnd
from moonmind.ports.sandbox import LINK, PYTHON, BoxedCommand, Mount
from tests.adapters.supervisor.test_job import Bench
from tests.support.plain_wall import require_walls
from tests.support.processes import free_port
from tests.support.waiting import until
from tests.support.walls import Box, bubblewrap


@pytest.fixture(autouse=True)
def walls() -> None:
    require_walls()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[int]:
    """Serve a package index of one file, and return its port."""
    files = tmp_path / "index" / "simple" / "demo"
    files.mkdir(parents=True)
    (files / "index.html").write_text('<a href="demo-1.0.tar.gz">demo-1.0.tar.gz</a>')
    (files / "demo-1.0.tar.gz").write_bytes(b"content " * 1000)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def start(bench: Bench, program: str, *arguments: str, egress: Egress | None, **changes: Any) -> None:
    """Start a Python program in a workspace behind bubblewrap, as the build of an environment is."""
    box = Box(
        bench.root, bubblewrap(bench.root), variables={"HTTP_PROXY": URL, "HTTPS_PROXY": URL, "MARK": bench.root.name}
    )
    command = [PYTHON, "-I", "-S", f"{LINK}/{ENTRY}", LINK, str(PORT), PYTHON, "-I", "-S", "-c", program, *arguments]
    job = box.job(command)
    bench.folder.make()
    bench.folder.link.mkdir(mode=0o711)
    wrapped = box.sandbox.wrap(
        BoxedCommand(job.mark, job.command, job.environment, (*job.mounts, Mount(bench.folder.link, LINK)))
    )
    bench.start("", argv=wrapped.argv, environment=dict(wrapped.environment), cwd="/", walled=True, plain=True,
                egress=egress, **changes)  # fmt: skip


def lines(bench: Bench) -> list[str]:
    return (bench.root / "log.jsonl").read_text().splitlines()


UNLISTED = (
    "it is not on the list of hosts that the build of an environment may reach; MOONMIND_ENVIRONMENT_HOSTS adds hosts"
)
FETCH = """
import sys, urllib.request
for place in sys.argv[1:]:
    try:
        print(len(urllib.request.urlopen(place, timeout=20).read()), flush=True)
    except OSError as error:
        print(error, flush=True)
        if hasattr(error, "read"):
            print(error.read().decode().strip(), flush=True)
sys.exit(3)
"""


def test_a_build_reaches_what_is_listed_and_reads_why_it_reaches_nothing_else(bench: Bench, index: int) -> None:
    listed, other = f"127.0.0.1:{index}", f"127.0.0.1:{free_port()}"
    places = [f"http://{listed}/simple/demo/demo-1.0.tar.gz", f"http://{other}/", "https://evil.example/"]
    start(bench, FETCH, *places, egress=Egress((listed,), local=(listed,)))
    result = bench.result()
    size, *refused, noted = lines(bench)
    assert size == "8000"
    assert refused == [
        f"HTTP Error 403: {other} is not allowed, see MOONMIND_ENVIRONMENT_HOSTS",
        f"{other} cannot be reached: {UNLISTED}",
        "<urlopen error Tunnel connection failed: 403 evil.example:443 is not allowed, see MOONMIND_ENVIRONMENT_HOSTS>",
    ]
    assert result["egress"] == {"refused": {other: 1, "evil.example:443": 1}, "unreachable": {}, "received": 8000}
    read = read_result(result)
    assert (read.end, read.exit_code) == (JobEnd.FAILED, 3)
    assert "evil.example:443 is not allowed" in read.message
    in_vain = f"the build asked for {other} and evil.example, which are not in the allow-list; add them with MOONMIND_ENVIRONMENT_HOSTS"
    assert noted == f"moonmind: {in_vain}"
    assert read.message.endswith(f"\n{in_vain}")


PROBE = """
import socket, sys
port = int(sys.argv[1])
def attempt(name, do):
    try:
        print(name, do(), flush=True)
    except OSError as error:
        print(name, "impossible", flush=True)
def send(kind, place):
    with socket.socket(socket.AF_INET, kind) as one:
        one.settimeout(5)
        one.connect(place)
        one.send(b"x")
        return one.recv(100)
attempt("tcp", lambda: send(socket.SOCK_STREAM, ("127.0.0.1", port)))
attempt("tcp outside", lambda: send(socket.SOCK_STREAM, ("192.0.2.1", 443)))
attempt("udp", lambda: send(socket.SOCK_DGRAM, ("127.0.0.1", port)))
attempt("dns", lambda: send(socket.SOCK_DGRAM, ("192.0.2.1", 53)))
attempt("name", lambda: socket.getaddrinfo("example.org", 443))
"""


@pytest.mark.parametrize("open_way", [True, False])
def test_a_build_has_no_other_way_out(bench: Bench, index: int, open_way: bool) -> None:
    egress = Egress((f"127.0.0.1:{index}", "example.org"), local=(f"127.0.0.1:{index}",)) if open_way else None
    start(bench, PROBE, str(index), egress=egress)
    assert read_result(bench.result()).end is JobEnd.COMPLETED
    assert lines(bench) == [f"{kind} impossible" for kind in ("tcp", "tcp outside", "udp", "dns", "name")]


@pytest.mark.parametrize("how", ["stopped", "supervisor killed"])
def test_nothing_of_a_build_is_left(bench: Bench, index: int, how: str) -> None:
    place = f"127.0.0.1:{index}"
    program = (
        "import os, signal, socket, time\n"
        "for number in (2, 15): signal.signal(number, signal.SIG_IGN)\n"
        "if os.fork() == 0: os.setsid()\n"
        f"held = socket.create_connection(('127.0.0.1', {PORT})); held.sendall(b'CONNECT {place} HTTP/1.1\\r\\n\\r\\n')\n"
        "print(held.recv(12).decode(), flush=True)\ntime.sleep(60)\n"
    )
    start(bench, program, egress=Egress((place,), local=(place,)), stop_seconds=0.3)
    until(lambda: lines(bench) == ["HTTP/1.1 200"] * 2, "both processes")
    supervisor = kernel.Process(bench.handle["pid"], bench.handle["started"])
    at_work = kernel.descendants(supervisor.pid)
    assert len(at_work) >= 3
    if how == "stopped":
        bench.folder.stop.touch()
    else:
        supervisor.signal(9)
    until(lambda: not any(process.alive for process in at_work), "the end of all processes")
    until(lambda: not bench.folder.locked, "the end of the supervisor")
    if how == "stopped":
        assert read_result(bench.result()).end is JobEnd.STOPPED


@pytest.mark.parametrize("hosts", [("*",), ("https://pypi.org",)])
def test_a_list_that_cannot_be_understood_starts_no_build(bench: Bench, hosts: tuple[str, ...]) -> None:
    done = bench.launch(bench.order("pass", walled=True, plain=True, egress=Egress(hosts)))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"is not a host" in done.stderr
    assert not bench.folder.handle.exists()


def test_the_password_of_the_networks_proxy_is_in_no_file(bench: Bench) -> None:
    secret = "s3cret-word"
    program = f"print('echo {secret}')"
    start(bench, program, egress=Egress(("pypi.example",), upstream=f"http://me:{secret}@127.0.0.1:1"))
    bench.result()
    assert lines(bench) == ["echo [redacted]"]
    assert [
        path for path in bench.folder.path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ] == []
