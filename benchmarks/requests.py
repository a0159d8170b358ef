"""Thousands of generated requests against the API, on SQLite and on PostgreSQL: none may be answered with a 5xx.

Schemathesis makes them from the published contract, with all of its checks. What counts is the server's own log, which
has one line for each request. Ends with 1 for any 5xx; what the checks report beside that is counted and kept.
Schemathesis lives in an environment of its own (`.schemathesis/`), made at the first use: its thirty packages pin
versions that the project's own need not follow.

    eval "$(script/services)"; python -m benchmarks.requests [--requests 2000] [--databases sqlite postgresql] [--seed 1]
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import stand

CONTRACT = stand.ROOT / "specs/001-celery-chain-workflow/contracts/workflow.openapi.yaml"
VERSION = "4.32.5"
HOME = stand.ROOT / ".schemathesis"
RUNS = "/api/workflows/speckit/runs"
SAMPLE = "moonmind/spec-kit-reference"
_START_SECONDS = 90
_ROUNDS = 20


@dataclass(frozen=True)
class Server:
    """An installation in test mode, with a run that has ended and one that is at work."""

    url: str
    log: Path

    def served(self) -> list[dict[str, Any]]:
        """Return the log's line of each request."""
        lines = (line for line in self.log.read_text("utf-8", "replace").splitlines() if "request.served" in line)
        return [json.loads(line) for line in lines if line.startswith("{")]


def main() -> None:
    """Generate, count and judge."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=2000, help="at least, to each server")
    arguments.add_argument("--databases", nargs="+", choices=SERVERS, default=list(SERVERS))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", type=Path, help="a folder for schemathesis' own reports")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end with it
    failed = False
    for database in chosen.databases:
        with stand.folder() as place, SERVERS[database](place) as server:
            figures = measure(server, chosen.requests, chosen.seed, chosen.keep or place / "reports")
        print(json.dumps({"database": database, "seed": chosen.seed, **figures}))
        failed = failed or bool(figures["answers_5xx"]) or figures["requests"] < chosen.requests
    sys.exit(1 if failed else 0)


def measure(server: Server, requests: int, seed: int, reports: Path) -> dict[str, Any]:
    """Ask round after round until the server has answered so many; return what it answered and what the checks say."""
    tool = schemathesis()
    reports.mkdir(parents=True, exist_ok=True)
    said: Counter[str] = Counter()
    for number in range(_ROUNDS):
        left = requests - len(server.served())
        if left <= 0 and number > 0:
            break
        # Streams do not end by themselves: each is read for a moment only, and few are asked for.
        said += _round(tool, server, seed + number, reports, "--exclude-operation-id", "streamEvents")
        _round(tool, server, seed + number, reports, "--include-operation-id", "streamEvents", "-n", "5")
    served = server.served()
    by_status = Counter(line["status"] for line in served)
    bad = [line for line in served if line["status"] >= 500]
    for line in bad[:20]:
        print(f"{line['status']} {line['method']} {line['path']}", file=sys.stderr)
    return {
        "requests": len(served),
        "answers_5xx": len(bad),
        "statuses": dict(sorted(by_status.items())),
        "reported_by_checks": dict(said),
    }


def _round(tool: Path, server: Server, seed: int, reports: Path, *more: str) -> Counter[str]:
    """Run schemathesis once; return how often each of its checks failed."""
    report = reports / f"{seed}-{more[0].strip('-')}.xml"
    argv = [
        *(tool, "run", CONTRACT, "--url", server.url, "--checks", "all", "--seed", seed, "--workers", 2),
        *("--continue-on-failure", "--no-shrink", "--request-timeout", 2 if "streamEvents" not in more else 0.5),
        *("--warnings", "off", "--suppress-health-check", "all", "--report", "junit", "--report-junit-path", report),
        *more,
    ]
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, check=False, cwd=reports)
    if done.returncode not in {0, 1}:
        sys.exit(f"schemathesis failed:\n{(done.stdout + done.stderr)[-3000:]}")
    report.with_suffix(".txt").write_text(done.stdout, "utf-8")
    return Counter(re.findall(r"^- (.+)$", done.stdout, re.MULTILINE))


def schemathesis() -> Path:
    """Return the program, installed at the first use."""
    tool = HOME / "bin" / "schemathesis"
    marker = HOME / f"version-{VERSION}"
    if not marker.exists():
        shutil.rmtree(HOME, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        subprocess.run([str(HOME / "bin" / "pip"), "install", "--quiet", f"schemathesis=={VERSION}"], check=True)
        marker.touch()
    return tool


@contextmanager
def _sqlite(place: Path) -> Iterator[Server]:
    port = stand.free_port()
    with _at_work(place, port, {}, [["moonmind.cli.main", "up", "--port", str(port)]]) as server:
        yield server


@contextmanager
def _postgresql(place: Path) -> Iterator[Server]:
    postgres, broker = stand.services()
    port = stand.free_port()
    queue = f"requests-{uuid4().hex[:8]}"
    with stand.database(postgres) as url:
        settings = {"DATABASE_URL": url, "CELERY_BROKER_URL": broker, "SPEC_WORKFLOW_CODEX_QUEUE": queue}
        env = _environment(place, settings)
        subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"],
            env=env, cwd=place, check=True, capture_output=True,
        )  # fmt: skip
        api = ["uvicorn", "api_service.main:app", "--port", str(port)]
        worker = [
            "celery",
            "-A",
            "moonmind.workflows.speckit_celery.tasks",
            "worker",
            "-Q",
            queue,
            "--loglevel=warning",
        ]
        with _at_work(place, port, settings, [api, worker]) as server:
            yield server


SERVERS = {"sqlite": _sqlite, "postgresql": _postgresql}


def _environment(place: Path, settings: dict[str, str]) -> dict[str, str]:
    return stand.environment(
        SPEC_WORKFLOW_TEST_MODE="1",
        MOONMIND_STATE_DIR=str(place / "state"),
        MOONMIND_LOG_FORMAT="json",
        **settings,
    ) | {"MOONMIND_LOG_LEVEL": "INFO"}


@contextmanager
def _at_work(place: Path, port: int, settings: dict[str, str], programs: Sequence[list[str]]) -> Iterator[Server]:
    (place / "work").mkdir()
    url, log = f"http://127.0.0.1:{port}", place / "0.log"
    with ExitStack() as stack:
        for number, argv in enumerate(programs):
            output = stack.enter_context((place / f"{number}.log").open("wb"))
            child = subprocess.Popen(
                [sys.executable, "-m", *argv], cwd=place / "work", env=_environment(place, settings), stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            stack.callback(_end, child)
        deadline = time.monotonic() + _START_SECONDS
        while _ask(f"{url}/readyz") is None:
            if time.monotonic() > deadline:
                sys.exit(f"the server did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.2)
        run = _ask(url + RUNS, {"repository": SAMPLE})
        while run is not None and run["status"] != "succeeded" and time.monotonic() < deadline:
            time.sleep(0.5)
            run = _ask(f"{url}{RUNS}/{run['id']}")
        if run is None or run["status"] != "succeeded":
            sys.exit(f"the first run did not succeed: {run}")
        _ask(url + RUNS, {"repository": SAMPLE, "notes": "the second phase"})
        yield Server(url, log)


def _ask(url: str, body: dict[str, str] | None = None) -> Any:
    """Return an answer's JSON; None where the server is not ready."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=20
        ) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return None


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    main()
