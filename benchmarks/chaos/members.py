"""The members of an installation under attack: what each is, and when it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Process, alive


@dataclass
class Member:
    """One process of the product, which is started again when it dies."""

    name: str
    argv: tuple[str, ...]
    is_ready: Callable[[Process], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None
    started: int = 0
    ready: bool = False
    held: bool = False
    """Not to be started again when it ends."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A Celery worker by name."""

    name: str
    pool: str = "threads"
    """As `--pool` has it: `processes` is what forks. Celery takes the word `prefork` for no choice at all, and uses ours."""
    concurrency: int = 8
    env: Mapping[str, str] = field(default_factory=dict)
    starts: bool = True
    """False: it is started later."""


TWO_WORKERS = (Worker("threads"), Worker("prefork", "processes", 4))


def worker_is_ready(process: Process) -> bool:
    """Return True if a worker takes messages."""
    return "ready." in process.text()


def parent_of(pid: int) -> int | None:
    """Return a process's parent; None when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def children_of(pid: int) -> list[int]:
    """List a process's children that run."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        child = int(place.name)
        if parent_of(child) == pid and alive(child):
            found.append(child)
    return sorted(found)
