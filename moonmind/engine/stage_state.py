"""What a stage leaves in its attempt's row, typed: a result for later stages, a checkpoint for its next attempt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from moonmind.errors import Unexpected
from moonmind.runs.chain import Stage


class StageState(BaseModel):
    """Written to a row as JSON with camelCase names; names that are not known here are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    stage: ClassVar[Stage]
    """The stage that writes it."""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `stored` wrote, in this or an earlier version; raises Unexpected for anything else."""
        try:
            # Earlier programs wrote None for what they did not have.
            known = {name: value for name, value in cls.upgraded(stored).items() if value is not None}
            return cls.model_validate(known)
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise Unexpected(
                f"what {cls.stage} recorded cannot be read by this program: {_reason(error)}",
                remediation="Retry the run with restart_from_discovery.",
            ) from error

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an earlier program recorded in today's form; raises KeyError, TypeError, AttributeError."""
        return stored

    def stored(self) -> dict[str, Any]:
        """Return the form in the row; what is None is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StageResult(StageState):
    """What later stages read of a stage that is done."""

    version: ClassVar[int] = 1
    """Of the form; higher than every one that `upgraded` reads."""

    v: int

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `stored` wrote, in this or an earlier version; raises Unexpected for anything else."""
        written = stored.get("v")
        if not isinstance(written, int) or not 1 <= written <= cls.version:
            raise Unexpected(
                f"what {cls.stage} recorded has version {written!r}; this program reads versions up to {cls.version}",
                remediation="Retry the run with restart_from_discovery.",
            )
        return super().read(stored)

    @classmethod
    def of(cls, results: Mapping[Stage, Mapping[str, Any]]) -> Self | None:
        """Return the stage's result out of a run's; None where there is none. Raises Unexpected as `read` does."""
        stored = results.get(cls.stage)
        return cls.read(stored) if stored else None


class Checkpoint(StageState):
    """What the next attempt of a stage resumes from; empty at first."""

    not_kept: str | None = None
    """Why what the stage had done could not be kept."""


def _reason(error: Exception) -> str:
    """Return which parts do not fit, without their values: they may be anything."""
    if isinstance(error, ValidationError):
        return ", ".join(".".join(map(str, one["loc"])) + f" ({one['type']})" for one in error.errors()[:5])
    return repr(error)
