"""The baseline: five Celery tasks that do nothing, with MoonMind's own Celery settings and no rows.

The last one notes the time in a table, so that both sides are measured the same way: by the database's clock. It does so on
a connection that stays open, as the product's does: a new one costs a third of the whole chain.
"""

import os
from functools import cache
from pathlib import Path

import psycopg
from celery import Celery, signals

app = Celery("bare")
app.config_from_object("moonmind.workflows.speckit_celery.celeryconfig")
app.conf.imports = ()
app.conf.task_routes = {}
signals.worker_ready.connect(lambda **_: Path(os.environ["BENCH_READY"]).touch(), weak=False)


@app.task(name="bare.step")
def step(_: str) -> None:
    """Do nothing."""


@app.task(name="bare.last")
def last(run_id: str) -> None:
    """Note the end."""
    database().execute("INSERT INTO bench_ended (id, at) VALUES (%s, clock_timestamp())", (run_id,))


@cache
def database() -> psycopg.Connection:
    """Open the worker process's one connection; its threads take turns on it."""
    return psycopg.connect(os.environ["BENCH_POSTGRES"], autocommit=True)
