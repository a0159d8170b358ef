"""How a dispatch request ("look at this run") reaches a worker."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from moonmind.runs.chain import Stage


@dataclass(frozen=True, slots=True)
class DispatchRequest:
    """A chain to start: the run, the stage it starts at, and the id of the chain."""

    run_id: UUID
    stage: Stage
    chain_id: UUID
    expires_seconds: float
    """A request that nobody took by then is worthless: the run is dispatched again."""


class Dispatcher(Protocol):
    """Hands requests to workers. Losing, repeating or reordering one is harmless."""

    def dispatch(self, request: DispatchRequest) -> None:
        """Hand the chain over and return once it was taken for certain; raises DispatchError."""
        ...


class LocalDispatcher(Dispatcher, Protocol):
    """A dispatcher whose workers are threads of this process."""

    def start(self) -> None:
        """Begin to take requests."""
        ...

    def close(self, grace_seconds: float) -> None:
        """Take no more requests, and wait for the stages at work, so many seconds at most."""
        ...
