"""Dispatch runs as Celery chains, with the broker's confirmation."""

from celery import Celery, chain

from moonmind.errors import DispatchError
from moonmind.ports.dispatcher import DispatchRequest
from moonmind.runs.chain import from_stage


class CeleryDispatcher:
    """Builds the chain from a stage on and hands it to the broker; used by one thread at a time."""

    def __init__(self, app: Celery, queue: str) -> None:
        self._app = app
        self._queue = queue

    def dispatch(self, request: DispatchRequest) -> None:
        """Hand the chain to the broker and return once it is confirmed; raises DispatchError."""
        links = [
            self._app.signature(stage.task_name, args=(str(request.run_id),), immutable=True)
            for stage in from_stage(request.stage)
        ]
        # The first link's task id is the chain's root id, which the claim writes into the row.
        links[0].set(task_id=str(request.chain_id))
        try:
            chain(*links).apply_async(queue=self._queue, expires=request.expires_seconds)
        except Exception as error:
            # Brokers fail in many libraries' words; whatever it was, the request is unconfirmed and is sent again.
            raise DispatchError(f"the broker did not take the message ({type(error).__name__}: {error})") from error
