"""The five tasks of the chain: doorbells. Everything else is the executor's.

The worker is started as `celery -A moonmind.workflows.speckit_celery.tasks worker -Q codex`.
"""

from typing import Any
from uuid import UUID

import structlog
from celery import Celery
from celery.exceptions import Ignore

from moonmind.bootstrap import celery_app
from moonmind.engine.executor import ChainSignal
from moonmind.errors import Unavailable
from moonmind.runs.chain import Stage
from moonmind.workflows.speckit_celery import worker

log = structlog.get_logger(__name__)

app: Celery = celery_app()
worker.attach()


def _execute(run_id: str, stage: Stage, root_id: str | None) -> str:
    try:
        run, chain_id = UUID(run_id), UUID(root_id) if root_id else None
    except ValueError:
        # A garbage message is dropped: acknowledged and forgotten, since no row asked for it.
        raise Ignore from None
    try:
        signal = worker.container().executor.execute(run, stage, chain_id)
    except Unavailable as error:
        # Nothing was claimed. The run is dispatched again once the database answers.
        log.warning("dispatch.not_followed", run_id=run_id, stage=stage.value, error=error.message)
        raise Ignore from None
    if signal is ChainSignal.STOP:
        raise Ignore
    return stage.value


@app.task(name=Stage.DISCOVER.task_name, bind=True)
def discover(self: Any, run_id: str) -> str:
    """Find the feature, the phase and the starting commit."""
    return _execute(run_id, Stage.DISCOVER, self.request.root_id)


@app.task(name=Stage.SUBMIT.task_name, bind=True)
def submit(self: Any, run_id: str) -> str:
    """Hand the phase to the agent."""
    return _execute(run_id, Stage.SUBMIT, self.request.root_id)


@app.task(name=Stage.APPLY.task_name, bind=True)
def apply(self: Any, run_id: str) -> str:
    """Judge and commit the agent's change."""
    return _execute(run_id, Stage.APPLY, self.request.root_id)


@app.task(name=Stage.PUBLISH.task_name, bind=True)
def publish(self: Any, run_id: str) -> str:
    """Push the branch and ensure its pull request."""
    return _execute(run_id, Stage.PUBLISH, self.request.root_id)


@app.task(name=Stage.FINALIZE.task_name, bind=True)
def finalize(self: Any, run_id: str) -> str:
    """Add up, clean up, close."""
    return _execute(run_id, Stage.FINALIZE, self.request.root_id)
