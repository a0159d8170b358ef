"""How long a whole run takes in test mode, and where the time goes: git, the supervisor, the suspension, the engine.

Real chain on RabbitMQ and PostgreSQL, real git, real supervisor; the agent is a script that does its work at once.
No limit: the figures say where time goes on this machine, and are worth comparing within one run only.

    eval "$(script/services)"; python -m benchmarks.test_mode [--runs 20] [--at-once 8] [--json]
"""

import argparse
import json
import os
import time
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks import stand
from moonmind import bootstrap
from moonmind.runtime.container import Container
from moonmind.settings import Settings
from moonmind.wire import CreateRun

PARTS = """
    WITH step AS (
        SELECT run_id, stage, type, data, created_at - lag(created_at) OVER run AS took,
               lag(type) OVER run AS before, lag(data) OVER run AS said
        FROM event WINDOW run AS (PARTITION BY run_id ORDER BY seq)
    )
    SELECT run_id,
           extract(epoch FROM sum(took)) * 1000,
           extract(epoch FROM coalesce(sum(took) FILTER (
               WHERE before = 'attempt.started' AND stage <> 'submit'), '0')) * 1000,
           extract(epoch FROM coalesce(sum(took) FILTER (
               WHERE stage = 'submit' AND before IN ('attempt.started', 'slot.taken')), '0')) * 1000,
           extract(epoch FROM coalesce(sum(took) FILTER (WHERE before = 'attempt.parked'), '0')) * 1000,
           extract(epoch FROM coalesce(sum(took) FILTER (
               WHERE before IN ('run.created', 'attempt.succeeded', 'attempt.woken')), '0')) * 1000
    FROM step WHERE run_id = ANY(%s) GROUP BY run_id
"""
NAMES = ("run", "part_git_stages", "part_supervisor", "part_suspended", "part_engine")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--at-once", type=int, default=8, help="runs of the throughput part, and agent slots")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    server, broker = stand.services()
    with stand.database(server) as url, stand.folder() as place:
        stand.show(measure(url, broker, place, chosen.runs, chosen.at_once), as_json=chosen.json)


def measure(url: str, broker: str, place: Path, runs: int, at_once: int) -> dict[str, object]:
    """Time runs one after the other, then many at once; milliseconds."""
    script = place / stand.SCRIPT
    steps = [
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"claim": ["T002"]},
        {"end": "completed"},
    ]
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    settings = {
        **stand.scripted_settings(url, broker, place),
        "MOONMIND_MAX_AGENTS": str(at_once),
    }
    os.environ.update(settings)
    env = stand.environment(**settings)
    stand.once(["alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"], env, place)
    queue = settings["SPEC_WORKFLOW_CODEX_QUEUE"]
    worker = ["celery", "-A", "benchmarks.ready_worker", "worker", "--loglevel=warning", "-Q", queue]
    with stand.process("worker", worker, env, place), psycopg.connect(url, autocommit=True) as connection:
        container = bootstrap.build(Settings())
        _run_to_end(container, connection, ["bench/warm-up"])
        alone = [_run_to_end(container, connection, [f"bench/alone-{number}"])[0] for number in range(runs)]
        began = time.monotonic()
        many = _run_to_end(container, connection, [f"bench/many-{number}" for number in range(max(runs, at_once))])
        took = time.monotonic() - began
        rows = connection.execute(PARTS, (alone,)).fetchall()
        container.close()
    figures: dict[str, object] = {"runs": runs, "runs_per_second": len(many) / took, "agents_at_once": at_once}
    for place_in_row, name in enumerate(NAMES, start=1):
        values = [float(row[place_in_row]) for row in rows]
        figures[f"{name}_p50_ms"] = stand.p(values, 50)
        figures[f"{name}_p95_ms"] = stand.p(values, 95)
    return figures


def _run_to_end(container: Container, connection: psycopg.Connection, repositories: list[str]) -> list[UUID]:
    """Create runs and wait until all have succeeded."""
    ids = [UUID(str(container.runs.create(CreateRun(repository=name)).id)) for name in repositories]
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed') FROM run "
            "WHERE id = ANY(%s)",
            (ids,),
        ).fetchone()
        if row == (len(ids), 0):
            return ids
        if row is not None and row[1]:
            raise SystemExit(connection.execute("SELECT error FROM run WHERE status = 'failed'").fetchall())
        time.sleep(0.05)
    raise SystemExit("the runs did not end")


if __name__ == "__main__":
    main()
