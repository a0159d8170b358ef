"""The product's own worker, which also says when it is ready. Started as `celery -A benchmarks.ready_worker worker`.

BENCH_CONSUMER names another consumer than the product's.
"""

import os
from pathlib import Path

from celery import signals

from moonmind.workflows.speckit_celery.tasks import app

__all__ = ["app"]

if consumer := os.environ.get("BENCH_CONSUMER"):
    app.conf.worker_consumer = consumer
signals.worker_ready.connect(lambda **_: Path(os.environ["BENCH_READY"]).touch(), weak=False)
