"""The product's own worker, which also says when it is ready. Started as `celery -A benchmarks.ready_worker worker`."""

import os
from pathlib import Path

from celery import signals

from moonmind.workflows.speckit_celery.tasks import app

__all__ = ["app"]

signals.worker_ready.connect(lambda **_: Path(os.environ["BENCH_READY"]).touch(), weak=False)
