"""How soon `moonmind up` answers on an open connection, beside plain uvicorn serving the same application.

Two embedded installations in test mode, asked in turns within one run: only the ratio says anything. Ends with 1 where
it is above the limit.

    python -m benchmarks.keep_alive [--requests 1000] [--json]
"""

import argparse
import http.client
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import stand
from moonmind.runtime import server_file

LIMIT = 1.3
"""Of plain uvicorn's median: what `moonmind up` may take."""
ADDRESSES = {"healthz": "/healthz", "list": "/api/workflows/speckit/runs"}
TURN = 50
"""Requests to one server before the other has its turn."""
_START_SECONDS = 60


def main() -> None:
    """Measure, print and judge."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=1000, help="to each server, for each address")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    figures = measure(chosen.requests)
    stand.show(figures, as_json=chosen.json)
    sys.exit(1 if any(figures[f"{name}_ratio"] > LIMIT for name in ADDRESSES) else 0)


def measure(requests: int) -> dict[str, float]:
    """Return the medians in milliseconds, and the ratios."""
    with stand.folder() as place, _up(place / "up") as ours, _plain(place / "plain") as plain:
        figures: dict[str, float] = {}
        for name, path in ADDRESSES.items():
            times: tuple[list[float], list[float]] = ([], [])
            for turn in range(-1, max(1, requests // TURN)):
                for port, kept in zip((ours, plain), times, strict=True):
                    measured = _ask(port, path)
                    if turn >= 0:  # the first turn warms up
                        kept.extend(measured)
            up, beside = (statistics.median(each) * 1000 for each in times)
            figures |= {f"{name}_up_ms": up, f"{name}_uvicorn_ms": beside, f"{name}_ratio": up / beside}
    return figures


def _ask(port: int, path: str) -> list[float]:
    """Return the seconds of each request of one turn, all over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    took = []
    for _ in range(TURN):
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - started)
        if answer.status != http.client.OK or answer.will_close:
            sys.exit(f"{path} on port {port}: {answer.status}, and the connection was not kept open")
    connection.close()
    return took


@contextmanager
def _up(place: Path) -> Iterator[int]:
    with _server(place, ["moonmind.cli.main", "up", "--port", "0"]):
        deadline = time.monotonic() + _START_SECONDS
        while (found := server_file.find(place / "work" / "var")) is None:
            _patience(place, deadline)
        yield int(found.url.rpartition(":")[2])


@contextmanager
def _plain(place: Path) -> Iterator[int]:
    port = stand.free_port()
    with _server(place, ["uvicorn", "api_service.main:app", "--port", str(port), "--no-access-log"]):
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                _patience(place, deadline)
        yield port


@contextmanager
def _server(place: Path, argv: Sequence[str]) -> Iterator[None]:
    (place / "work").mkdir(parents=True)
    env = stand.environment(SPEC_WORKFLOW_TEST_MODE="1", MOONMIND_STATE_DIR=str(place / "state"))
    with (place / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", *argv], env=env, cwd=place / "work", stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


def _patience(place: Path, deadline: float) -> None:
    if time.monotonic() > deadline:
        sys.exit(f"a server did not start:\n{(place / 'log').read_text('utf-8', 'replace')[-3000:]}")
    time.sleep(0.05)


if __name__ == "__main__":
    main()
