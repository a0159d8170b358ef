"""Dispatch runs to threads of this process: the embedded engine. What they lose with the process, the rows bring back."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from uuid import UUID

import structlog

from moonmind.errors import Unavailable
from moonmind.ports.dispatcher import DispatchRequest
from moonmind.runs.chain import Stage, from_stage

log = structlog.get_logger(__name__)

Execute = Callable[[UUID, Stage, UUID], bool]
"""Execute one stage of a run, for a chain; returns True if the chain goes on to the next stage."""


class ThreadDispatcher:
    """Threads that take requests and execute each one's stages in turn, until one stops the chain.

    Daemon threads: neither they nor what they wait for hold back the end of the process.
    """

    def __init__(self, execute: Execute, *, concurrency: int = 8) -> None:
        self._execute = execute
        self._waiting: SimpleQueue[tuple[DispatchRequest, float] | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"stages-{number}", daemon=True) for number in range(concurrency)
        ]

    def start(self) -> None:
        """Start the threads; requests that came before are taken now."""
        for thread in self._threads:
            thread.start()

    def dispatch(self, request: DispatchRequest) -> None:
        """Leave a request for the next thread that is free; returns at once."""
        self._waiting.put((request, time.monotonic() + request.expires_seconds))

    def close(self, grace_seconds: float) -> None:
        """Take no more requests, and wait for the stages at work, so many seconds at most."""
        self._closed = True
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + grace_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            request, expires = item
            if time.monotonic() < expires:
                self._follow(request)

    def _follow(self, request: DispatchRequest) -> None:
        for stage in from_stage(request.stage):
            # What is left when the process ends is dispatched again by the next one.
            if self._closed or not self._step(request, stage):
                return

    def _step(self, request: DispatchRequest, stage: Stage) -> bool:
        """Execute one stage, and return True if the chain goes on; a failure stops this chain, never the thread."""
        try:
            return self._execute(request.run_id, stage, request.chain_id)
        except Unavailable as error:
            # Nothing was claimed. The run is dispatched again once the database answers.
            log.warning("dispatch.not_followed", run_id=str(request.run_id), stage=stage.value, error=error.message)
        except Exception:
            log.exception("dispatch.broke", run_id=str(request.run_id), stage=stage.value)
        return False
