"""A consumer that no message can end.

Measured: Celery 5.7 reads a message's headers and body before it knows what they are, and a body that is not a list of
three, or a header that is missing, ends the whole worker. The broker hands the message to the next one, which ends too.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker.consumer import Consumer

log = structlog.get_logger(__name__)


class SteadyConsumer(Consumer):  # type: ignore[misc]  # Celery has no annotations
    """Celery's consumer, which drops what it cannot read: the rows know what is to be done, and ask again."""

    def __init__(self, *arguments: Any, worker_options: dict[str, Any] | None = None, **named: Any) -> None:
        # A worker would ask the others for revoked tasks first, and wait a second for answers that none of ours gives.
        options = {**(worker_options or {}), "without_mingle": True}
        super().__init__(*arguments, worker_options=options, **named)

    def create_task_handler(self, *arguments: Any, **named: Any) -> Callable[[Any], None]:
        """Wrap Celery's handler of incoming messages."""
        handle = super().create_task_handler(*arguments, **named)
        connection_errors = tuple(self.connection_errors) + tuple(self.channel_errors)

        def take(message: Any) -> None:
            try:
                handle(message)
            except connection_errors:
                raise  # the line is broken, not the message: Celery connects again
            except Exception as error:  # noqa: BLE001 - whatever a stranger sent, the worker goes on
                log.error("message.dropped", error=f"{type(error).__name__}: {error}", size=len(message.body or b""))
                if not message.acknowledged:
                    message.reject_log_error(log, connection_errors)

        return take
