"""What the engine costs: five no-op stages through executor, tables and chain, beside a bare chain of five tasks.

Both run on the same RabbitMQ with the same Celery settings, one after the other in turns, and both are timed by the
database's clock, from before the request (ours: `create`, which writes the run and its attempts; the chain's: its
publish) to the row that the last task leaves.

    eval "$(script/services)"; python -m benchmarks.engine [--runs 50] [--json]
"""

import argparse
import os
import time
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from benchmarks import stand
from moonmind import bootstrap
from moonmind.runtime.container import Container
from moonmind.settings import Settings
from moonmind.wire import CreateRun

WARM_UP = 5
POLL_SECONDS = 0.005
"""Both sides are timed by the database's clock: the poll only sees the end, and stays out of the way."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=50)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    server, broker = stand.services()
    with stand.database(server) as url, stand.folder() as place:
        stand.show(measure(url, broker, place, chosen.runs), as_json=chosen.json)


def measure(url: str, broker: str, place: Path, runs: int) -> dict[str, object]:
    """Time both sides in turns; milliseconds."""
    ours, bare = f"bench-{uuid4().hex[:8]}", f"bench-bare-{uuid4().hex[:8]}"
    settings = {
        "CELERY_BROKER_URL": broker,
        "DATABASE_URL": url,
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_STATE_DIR": str(place / "state"),
        "MOONMIND_VAR_DIR": str(place / "var"),
        "SPEC_WORKFLOW_ARTIFACT_ROOT": str(place / "artifacts"),
    }
    os.environ.update(settings | {"SPEC_WORKFLOW_CODEX_QUEUE": ours})
    statements = place / "statements"
    stand.once(
        ["alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"], stand.environment(**settings), place
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_ended (id text PRIMARY KEY, at timestamptz NOT NULL)")
        ours_env = stand.environment(
            **settings,
            SPEC_WORKFLOW_CODEX_QUEUE=ours,
            BENCH_STATEMENTS=str(statements),
            BENCH_READY=str(place / "ours"),
        )
        bare_env = stand.environment(
            **settings, SPEC_WORKFLOW_CODEX_QUEUE=bare, BENCH_POSTGRES=url, BENCH_READY=str(place / "bare")
        )
        common = ["worker", "--loglevel=warning", "--without-mingle", "--without-gossip"]
        with (
            stand.process(
                "ours",
                ["celery", "-A", "benchmarks.noop_worker", *common, "-Q", ours, "-n", "ours@%h"],
                ours_env,
                place,
            ),
            stand.process(
                "bare",
                ["celery", "-A", "benchmarks.bare_worker", *common, "-Q", bare, "-n", "bare@%h"],
                bare_env,
                place,
            ),
        ):
            container = bootstrap.build(Settings())
            chain = BareChain(connection, bare)
            mine, theirs = [], []
            for number in range(WARM_UP + runs):
                one, other = _ours(container, connection, number), chain.time()
                if number >= WARM_UP:
                    mine.append(one)
                    theirs.append(other)
            parts = _parts(connection)
            container.close()
    executed = int(statements.read_text()) if statements.exists() else 0
    return {
        "runs": runs,
        "engine_p50_ms": stand.p(mine, 50),
        "engine_p95_ms": stand.p(mine, 95),
        "bare_chain_p50_ms": stand.p(theirs, 50),
        "bare_chain_p95_ms": stand.p(theirs, 95),
        "ratio_p50": stand.p(mine, 50) / stand.p(theirs, 50),
        **parts,
        "worker_statements_per_run": executed / (runs + WARM_UP),
    }


def _parts(connection: psycopg.Connection) -> dict[str, float]:
    """Split a run's time by its events: until the first claim, under claims, and between a record and the next claim."""
    row = connection.execute(
        """
        WITH step AS (
            SELECT run_id, type, created_at - lag(created_at) OVER (PARTITION BY run_id ORDER BY seq) AS took,
                   lag(type) OVER (PARTITION BY run_id ORDER BY seq) AS before
            FROM event
        ), part AS (
            SELECT run_id,
                   sum(took) FILTER (WHERE before = 'run.created') AS first_claim,
                   sum(took) FILTER (WHERE before = 'attempt.started') AS claimed,
                   sum(took) FILTER (WHERE before = 'attempt.succeeded') AS hops
            FROM step GROUP BY run_id
        )
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM first_claim) * 1000),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM claimed) * 1000),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM hops) * 1000)
        FROM part
        """
    ).fetchone()
    assert row is not None
    return {f"part_{name}_p50_ms": float(row[place]) for place, name in enumerate(("first_claim", "claimed", "hops"))}


def _clock(connection: psycopg.Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _ours(container: Container, connection: psycopg.Connection, number: int) -> float:
    started = _clock(connection)
    run = container.runs.create(CreateRun(repository=f"bench/run-{number}"))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT extract(epoch FROM completed_at - %s) * 1000 FROM run WHERE id = %s AND completed_at IS NOT NULL",
            (started, UUID(str(run.id))),
        ).fetchone()
        if row is not None:
            return float(row[0])
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"run {run.id} did not end")


class BareChain:
    """Publishes the baseline's chain and waits for its last row."""

    def __init__(self, connection: psycopg.Connection, queue: str) -> None:
        self._connection = connection
        self._queue = queue
        self._app = bootstrap.celery_app()

    def time(self) -> float:
        """Publish one chain and give its milliseconds."""
        from celery import chain

        run_id = str(uuid4())
        started = _clock(self._connection)
        steps = [self._app.signature("bare.step", args=(run_id,), immutable=True, queue=self._queue) for _ in range(4)]
        last = self._app.signature("bare.last", args=(run_id,), immutable=True, queue=self._queue)
        chain(*steps, last).apply_async()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            row = self._connection.execute(
                "SELECT extract(epoch FROM at - %s) * 1000 FROM bench_ended WHERE id = %s", (started, run_id)
            ).fetchone()
            if row is not None:
                return float(row[0])
            time.sleep(POLL_SECONDS)
        raise SystemExit("the bare chain did not end")


if __name__ == "__main__":
    main()
