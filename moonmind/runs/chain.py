"""The five stages of a run, their order and the names of their Celery tasks."""

from enum import StrEnum


class Stage(StrEnum):
    """One of the five steps of every run, in the order in which they are declared."""

    DISCOVER = "discover"
    """Find the feature, the phase and the starting commit."""
    SUBMIT = "submit"
    """Hand the phase to the agent and wait for it without holding a worker."""
    APPLY = "apply"
    """Judge the agent's change, tick what it shows, make the commit."""
    PUBLISH = "publish"
    """Push the branch and ensure its one pull request."""
    FINALIZE = "finalize"
    """Add up, clean up, close."""

    @property
    def position(self) -> int:
        """Return the position in the chain, from 0."""
        return _INDEX[self]

    @property
    def task_name(self) -> str:
        """Return the name of the Celery task, which is the public `taskName` too."""
        return f"moonmind.speckit.{self.value}"


STAGES: tuple[Stage, ...] = tuple(Stage)
FIRST = STAGES[0]
_INDEX = {stage: position for position, stage in enumerate(STAGES)}


def following(stage: Stage) -> Stage | None:
    """Return the stage after this one, or None after the last."""
    return STAGES[stage.position + 1] if stage.position + 1 < len(STAGES) else None


def from_stage(stage: Stage) -> tuple[Stage, ...]:
    """Return the chain that starts at this stage: first start, retry, rescue and wake-up are all this."""
    return STAGES[stage.position :]
