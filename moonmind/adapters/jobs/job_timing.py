"""How long those who start and end jobs wait for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobTiming:
    """How many seconds an adapter waits for its jobs and for the program of its agent."""

    start: float = 60.0
    settle: float = 20.0
    """How long a supervisor that has the job's lock may take to write its handle once its launcher is gone."""
    stop: float = 30.0
    """After this long the supervisor, which needs about five seconds, is taken to be stuck and is killed."""
    hung: float = 10.0
    """So it is after this long without a heartbeat."""
    kill: float = 15.0
    canary: float = 20.0
    """How long the agent's program may take to show that it ignores a repository's own configuration."""


TIMING = JobTiming()
