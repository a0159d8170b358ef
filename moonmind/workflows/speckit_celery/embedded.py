"""The engine inside the API process: the same five tasks, on worker threads, over a broker in memory."""

import threading
from typing import Any

import structlog
from celery.beat import EmbeddedService, Scheduler
from celery.worker import WorkController, state

from moonmind.errors import Unavailable
from moonmind.runtime.container import Container
from moonmind.workflows.speckit_celery import worker
from moonmind.workflows.speckit_celery.tasks import app

log = structlog.get_logger(__name__)

_START_SECONDS = 30.0


class EmbeddedWorker:
    """A Celery worker as threads of this process. What its queue loses with the process, the rows send again."""

    def __init__(self, container: Container, *, concurrency: int = 8) -> None:
        self._container = container
        self._concurrency = concurrency
        self._controller: WorkController | None = None
        self._thread: threading.Thread | None = None
        self._beat: Any = None

    def start(self) -> None:
        """Start the worker and return when it takes messages; raises Unavailable when it does not."""
        worker.adopt(self._container)
        # Without this, a chain's links go to Celery's default app and its default broker, silently.
        app.set_default()
        state.should_stop = None
        queue = self._container.settings.queue
        with app.connection_for_write() as connection:
            # Declared before threads publish: the memory transport checks and creates queues without a lock.
            app.amqp.queues[queue](connection.default_channel).declare()
        ready = threading.Event()
        # WorkController, not the command's Worker: it installs no signal handlers and no logging.
        self._controller = WorkController(
            app=app,
            pool="threads",
            concurrency=self._concurrency,
            hostname="moonmind@embedded",
            queues=[queue],
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
            ready_callback=lambda _consumer: ready.set(),
        )
        self._thread = threading.Thread(target=self._controller.start, name="embedded-worker", daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise Unavailable("the embedded worker did not start")
        # A thread: a forked beat would have a broker in memory of its own.
        self._beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
        self._beat.start()

    def close(self) -> None:
        """Stop taking messages and wait a moment for running stages; what they hold is given back after it."""
        if self._beat is not None:
            self._beat.stop()
        if self._controller is not None:
            # It waits for stages as long as they take, so it does that in a thread of its own. No daemon: the interpreter
            # waits for the stages anyway, and whoever ends the process sees by this thread that it would.
            stopping = threading.Thread(target=self._stop, args=(self._controller,), name="embedded-stop")
            stopping.start()
            stopping.join(timeout=worker.GRACE_SECONDS)
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _stop(self, controller: WorkController) -> None:
        controller.stop()
        state.should_stop = 0
