"""What a benchmark stands on: a database and a queue of its own, and processes that end with it."""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "script.json"
"""What the scripted agent does, beside what it works on."""


def services() -> tuple[str, str]:
    """Return the URLs of PostgreSQL and RabbitMQ, as `script/services` prints them."""
    postgres, broker = os.environ.get("MOONMIND_TEST_POSTGRES_URL"), os.environ.get("MOONMIND_TEST_AMQP_URL")
    if not postgres or not broker:
        sys.exit('set the services first: eval "$(script/services)"')
    return postgres, broker


def interrupt_once() -> None:
    """Let the first signal that asks for the end interrupt this process; what it then cleans up, no further one disturbs."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


@contextmanager
def database(server: str) -> Iterator[str]:
    """Make a PostgreSQL database for one run of a benchmark; returns the plain URL."""
    plain = server.replace("+psycopg", "")
    name = f"moonmind_bench_{uuid4().hex[:10]}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield plain.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def folder(*, keep: bool = False) -> Iterator[Path]:
    """Return a folder outside of the temporary one, where MoonMind refuses to keep agents' homes."""
    made = tempfile.mkdtemp(prefix="moonmind-bench-", dir="/var/tmp")
    try:
        yield Path(made)
    finally:
        if not keep:
            shutil.rmtree(made)


def _work(place: Path) -> Path:
    """Return the children's working directory, beside the state folder: never above it."""
    folder = place / "work"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def process(name: str, argv: Sequence[str], env: dict[str, str], place: Path) -> Iterator[int]:
    """Run a child until the block ends; it works once it has made the file that BENCH_READY names."""
    log, ready = place / f"{name}.log", Path(env["BENCH_READY"])
    with log.open("wb") as output:
        child = subprocess.Popen([sys.executable, "-m", *argv], env=env, cwd=_work(place), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{name} did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.05)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def once(argv: Sequence[str], env: dict[str, str], place: Path) -> None:
    """Run a child to its end; exits with what it said when it fails."""
    done = subprocess.run([sys.executable, "-m", *argv], env=env, cwd=_work(place), capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stderr.decode(errors='replace')[-3000:]}")


def environment(**settings: str) -> dict[str, str]:
    """Return a child's environment: what finds programs, and the settings named here."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "MOONMIND_LOG_LEVEL": "WARNING", **settings}


def scripted_settings(url: str, broker: str, place: Path) -> dict[str, str]:
    """Return the settings of an installation in a folder, whose agent does what the folder's script says."""
    return {
        "CELERY_BROKER_URL": broker,
        "DATABASE_URL": url,
        "SPEC_WORKFLOW_CODEX_QUEUE": f"bench-{uuid4().hex[:8]}",
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_SCRIPT": str(place / SCRIPT),
        "MOONMIND_STATE_DIR": str(place / "state"),
        "MOONMIND_VAR_DIR": str(place / "var"),
        "MOONMIND_LOCAL_REPOS": str(place / "repositories"),
        "SPEC_WORKFLOW_ARTIFACT_ROOT": str(place / "artifacts"),
        "BENCH_READY": str(place / "ready"),
    }


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def p(values: Sequence[float], percent: int) -> float:
    """Return a percentile of some measurements."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def show(figures: Mapping[str, object], *, as_json: bool) -> None:
    """Print the figures, for people or for programs."""
    if as_json:
        print(json.dumps(figures))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:.2f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
