"""The life of a worker process: what starts with it, what it gives back, and what it refuses to start with."""

import threading
from typing import Any

import structlog
from celery import signals

from moonmind import bootstrap
from moonmind.errors import MoonMindError
from moonmind.runtime.container import Container, Role
from moonmind.settings import load_settings
from moonmind.workflows.speckit_celery.refusal import refuse_for

log = structlog.get_logger(__name__)

_container: Container | None = None
_guard = threading.Lock()


def container() -> Container:
    """Return this process's container, built at first use; a forked child builds its own."""
    global _container  # noqa: PLW0603 - one per process, as Celery's own app is
    with _guard:
        if _container is None:
            _container = bootstrap.build(load_settings())
        return _container


def attach() -> None:
    """Connect to Celery's signals; connecting twice is once."""
    signals.worker_init.connect(_init, dispatch_uid="moonmind.init")
    signals.worker_ready.connect(_ready, dispatch_uid="moonmind.ready")
    signals.worker_process_init.connect(_forked, dispatch_uid="moonmind.forked")
    signals.worker_shutting_down.connect(_ending, dispatch_uid="moonmind.ending")
    signals.worker_shutdown.connect(_shutdown, dispatch_uid="moonmind.shutdown")
    signals.setup_logging.connect(_logging, dispatch_uid="moonmind.logging")


def _logging(**_: Any) -> None:
    bootstrap.prepare_process(load_settings())


def _init(**_: Any) -> None:
    """Refuse to start with a sentence, not with a trace, where work could not be done."""
    global _container  # noqa: PLW0603 - see container()
    try:
        _container = bootstrap.build_when_there(load_settings())
        _container.prepare(Role.WORKER)
    except MoonMindError as error:
        refuse_for(error)


def _ready(**_: Any) -> None:
    """Begin to heal: what does so are threads of the main process, never of forked children."""
    container().start()


def _forked(**_: Any) -> None:
    """Forget what the parent built: connections and threads do not survive a fork."""
    global _container, _guard  # noqa: PLW0603 - see container()
    _guard = threading.Lock()
    inherited, _container = _container, None
    if inherited is not None:
        inherited.abandon()


def _ending(**_: Any) -> None:
    """Wait a moment for stages to end, then return their leases: others go on at once, and nothing counts as a crash.

    Celery itself waits for running stages, longer than most supervisors wait for Celery.
    """
    if _container is not None:
        timer = threading.Timer(_container.grace_seconds, _container.keeper.close)
        timer.daemon = True
        timer.start()


def _shutdown(**_: Any) -> None:
    if _container is not None:
        _container.close()
