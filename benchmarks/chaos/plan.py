"""What goes wrong, and when: pure, and the same for the same seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Fault(StrEnum):
    """One kind of thing that goes wrong."""

    WORKER_GROUP = "worker_group"
    """SIGKILL of a worker and everything in its process group."""
    WORKER_CHILD = "worker_child"
    """SIGKILL of one child of the prefork pool."""
    WORKER_STOPPED = "worker_stopped"
    """SIGSTOP of a worker until its leases have long ended, then SIGCONT."""
    SUPERVISOR = "supervisor"
    """SIGKILL of the supervisor of an agent at work."""
    AGENT = "agent"
    """SIGKILL of an agent at work."""
    API = "api"
    BROKER = "broker"
    """SIGKILL of RabbitMQ, and its start some seconds later."""
    DATABASE = "database"
    """Immediate shutdown of PostgreSQL, and its start some seconds later."""
    DATABASE_RESET = "database_reset"
    """Every connection to the database is reset."""
    DATABASE_BLACK_HOLE = "database_black_hole"
    """No byte passes to or from the database for a while; the connections stay."""
    BROKER_RESET = "broker_reset"
    BROKER_BLACK_HOLE = "broker_black_hole"
    MESSAGES = "messages"
    """Messages of known runs come again, several times and in the wrong order, among garbage."""
    DISK_FULL = "disk_full"
    """No byte more fits where the artifacts are."""
    EMBEDDED = "embedded"
    """SIGKILL of the one process of the embedded engine."""
    EMBEDDED_STOPPED = "embedded_stopped"


FULL: Mapping[Fault, int] = MappingProxyType(
    {
        Fault.WORKER_GROUP: 10,
        Fault.WORKER_CHILD: 6,
        Fault.WORKER_STOPPED: 3,
        Fault.SUPERVISOR: 6,
        Fault.AGENT: 4,
        Fault.API: 4,
        Fault.BROKER: 3,
        Fault.DATABASE: 4,
        Fault.DATABASE_RESET: 4,
        Fault.DATABASE_BLACK_HOLE: 2,
        Fault.BROKER_RESET: 4,
        Fault.BROKER_BLACK_HOLE: 2,
        Fault.MESSAGES: 8,
        Fault.DISK_FULL: 2,
    }
)
"""How often each kind comes, beside the others."""

EMBEDDED: Mapping[Fault, int] = MappingProxyType(
    {
        Fault.EMBEDDED: 20,
        Fault.EMBEDDED_STOPPED: 1,
        Fault.SUPERVISOR: 3,
        Fault.AGENT: 1,
        Fault.DISK_FULL: 1,
    }
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault: how long after the one before, and how hard."""

    pause: float
    """Seconds from when the fault before was over, or from the first run's creation."""
    fault: Fault
    strength: float
    """In [0, 1): picks the victim, the length of an outage."""


def schedule(seed: int, count: int, kinds: Mapping[Fault, int], pause: float) -> list[Planned]:
    """Plan so many faults: each kind once as far as they reach, the others by weight, `pause` seconds apart on average."""
    chance = random.Random(seed)
    drawn = [*kinds, *chance.choices(list(kinds), list(kinds.values()), k=max(0, count - len(kinds)))]
    chance.shuffle(drawn)
    return [Planned(chance.uniform(0.3, 1.7) * pause, fault, chance.random()) for fault in drawn[:count]]
