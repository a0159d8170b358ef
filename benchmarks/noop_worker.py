"""A worker of the real chain whose five stages do nothing: what is left is the engine.

Started by `benchmarks.engine` as `celery -A benchmarks.noop_worker worker`.
"""

import os
from pathlib import Path

from celery import signals
from sqlalchemy import event

from moonmind import bootstrap
from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import StageContext
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Outcome
from moonmind.settings import load_settings
from moonmind.workflows.speckit_celery import worker
from moonmind.workflows.speckit_celery.tasks import app

__all__ = ["app"]


def nothing(_: StageContext) -> Outcome:
    return Done({"v": 1})


# Built here, and neither prepared nor started: janitor and job poller would be measured too.
container = bootstrap.build(load_settings(), stages=dict.fromkeys(Stage, StageDefinition(nothing)))
worker._container = container
signals.worker_init.disconnect(dispatch_uid="moonmind.init")
signals.worker_ready.disconnect(dispatch_uid="moonmind.ready")
executed = 0


def _count(*_: object) -> None:
    global executed  # noqa: PLW0603 - one counter per process is the measurement
    executed += 1


def _write(**_: object) -> None:
    Path(os.environ["BENCH_STATEMENTS"]).write_text(str(executed))


# Statements as the driver sees them; BEGIN and COMMIT are not among them.
event.listen(container.database._engine, "before_cursor_execute", _count)
signals.worker_ready.connect(lambda **_: Path(os.environ["BENCH_READY"]).touch(), weak=False)
signals.worker_shutting_down.connect(_write, weak=False)
