"""How a hint ("look at this run") reaches a worker."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from moonmind.runs.chain import Stage


@dataclass(frozen=True, slots=True)
class Hint:
    """A chain to publish: the run, the stage it starts at, and the id its root task gets."""

    run_id: UUID
    stage: Stage
    chain_id: UUID
    expires_seconds: float
    """A hint that nobody took by then is worthless: the row is hinted again."""


class Dispatcher(Protocol):
    """Publishes hints. Losing, repeating or reordering one is harmless."""

    def publish(self, hint: Hint) -> None:
        """Hand the chain to the broker and return once it is confirmed; raises DispatchError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
