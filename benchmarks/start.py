"""How much CPU time programs take until they answer, beside a Python that imports what they are built on.

Limits: `--help` and `--version` take at most 1.6 times a Python that imports Typer and Rich; `moonmind up` in a folder that
it has used before takes, until it answers /healthz, at most 1.8 times a Python that imports FastAPI, SQLAlchemy and
pydantic. Its first start in a folder and, where the services are set, a Celery worker until it is ready, as it is and with
Celery's mingle, are measured without a limit. Ends with 1 where a limit is exceeded.

    python -m benchmarks.start [--rounds 9] [--json]
"""

import argparse
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

from benchmarks import stand

HELP_LIMIT = 1.6
UP_LIMIT = 1.8
HELP = {
    "moonmind_help": ["moonmind", "--help"],
    "moonmind_version": ["moonmind", "--version"],
    "moonmind_runs_help": ["moonmind", "runs", "--help"],
    "moonmind_db_upgrade_help": ["moonmind", "db", "upgrade", "--help"],
    "speckit_help": ["speckit", "--help"],
}
_START_SECONDS = 60


def main() -> None:
    """Measure, print, and fail above a limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with stand.folder() as place:
        found = measure(place, chosen.rounds)
        if "MOONMIND_TEST_AMQP_URL" in os.environ:
            with stand.database(stand.services()[0]) as url:
                found |= measure_worker(place / "worker", url, chosen.rounds)
    stand.show(found, as_json=chosen.json)
    if not found["holds"]:
        sys.exit(1)


def measure(place: Path, rounds: int) -> dict[str, object]:
    """Start each program in turns; CPU milliseconds, medians, and their ratios."""
    used = place / "used"
    until_healthy(used)
    until_healthy(used)  # a second time: whatever is made once is there
    ways: dict[str, Callable[[], object]] = {
        "import_typer_rich": partial(_run, ["python", "-c", "import typer, rich"]),
        **{name: partial(_run, argv) for name, argv in HELP.items()},
        "import_fastapi_sqlalchemy_pydantic": partial(_run, ["python", "-c", "import fastapi, sqlalchemy, pydantic"]),
        "up_again": partial(until_healthy, used),
        "up_first": lambda: until_healthy(place / uuid4().hex),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(cpu(way))
    medians = {name: statistics.median(each) * 1000 for name, each in taken.items()}
    ratios = {f"{name}_ratio": medians[name] / medians["import_typer_rich"] for name in HELP}
    started = {
        f"{name}_ratio": medians[name] / medians["import_fastapi_sqlalchemy_pydantic"]
        for name in ("up_again", "up_first")
    }
    return {
        "rounds": rounds,
        **{f"{name}_cpu_ms": round(median, 1) for name, median in medians.items()},
        **ratios,
        "help_limit": HELP_LIMIT,
        **started,
        "up_again_limit": UP_LIMIT,
        "holds": max(ratios.values()) <= HELP_LIMIT and started["up_again_ratio"] <= UP_LIMIT,
    }


def measure_worker(place: Path, url: str, rounds: int) -> dict[str, object]:
    """Start Celery workers until they are ready, in turns with the product's consumer and with Celery's, which mingles."""
    place.mkdir()
    env = stand.environment(
        CELERY_BROKER_URL=stand.services()[1],
        DATABASE_URL=url,
        SPEC_WORKFLOW_CODEX_QUEUE=f"bench-{uuid4().hex[:8]}",
        SPEC_WORKFLOW_TEST_MODE="1",
        MOONMIND_STATE_DIR=str(place / "state"),
    )
    stand.once(["alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"], env, place)
    consumers = {"worker": {}, "worker_with_mingle": {"BENCH_CONSUMER": "celery.worker.consumer:Consumer"}}
    argv = ["celery", "-A", "benchmarks.ready_worker", "worker", "--loglevel=warning", "--without-gossip"]
    seconds: dict[str, list[float]] = {name: [] for name in consumers}
    for _ in range(rounds):
        for name, chosen in consumers.items():
            ready = place / uuid4().hex
            begun = time.monotonic()
            with stand.process(name, argv, {**env, **chosen, "BENCH_READY": str(ready)}, place):
                seconds[name].append(time.monotonic() - begun)
    return {f"{name}_ready_s": statistics.median(each) for name, each in seconds.items()}


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds, in user and kernel mode, of the processes that some work starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def until_healthy(place: Path) -> None:
    """Start `moonmind up` in a folder, and end it as soon as it has answered."""
    (place / "work").mkdir(parents=True, exist_ok=True)
    port = stand.free_port()
    env = stand.environment(SPEC_WORKFLOW_TEST_MODE="1", MOONMIND_STATE_DIR=str(place / "state"))
    with (place / "log").open("wb") as log:
        child = subprocess.Popen(
            [_program("moonmind"), "up", "--port", str(port)], env=env, cwd=place / "work", stdout=log, stderr=log
        )
    try:
        # It listens before it has loaded the application: one request waits there for the first answer.
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(port):
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"moonmind up did not start:\n{(place / 'log').read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.02)
        connection = HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        if status != HTTPStatus.OK:
            sys.exit(f"/healthz answered {status}")
    finally:
        child.kill()  # at once: what it would do after its first answer does not count
        child.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _run(argv: Sequence[str]) -> None:
    subprocess.run([_program(argv[0]), *argv[1:]], check=True, capture_output=True)


def _program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        sys.exit(f"{name} is not beside {sys.executable}")
    return found


if __name__ == "__main__":
    main()
