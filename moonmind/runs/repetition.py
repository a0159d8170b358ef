"""Whether a retry of a stage would only repeat its end: the stage writes it into the details of its error."""

from enum import StrEnum

from moonmind.errors import ErrorInfo
from moonmind.runs.machine import RetryMode

_DETAIL = "retry"


class RetryHelps(StrEnum):
    """When a retry of the failed stage does something else than before; an error without this word: at any time."""

    WITH_NOTES = "with_notes"
    """The same work is judged again, but new notes go to the agent first."""
    NEVER = "never"
    """The work is published and judged, and no agent is asked again."""

    def detail(self) -> dict[str, str]:
        """Return it as a part of an error's details."""
        return {_DETAIL: self.value}


def repeats(error: ErrorInfo, mode: RetryMode, *, new_notes: bool) -> str | None:
    """Return in words why a retry would end as the stage did before; None where it would not, or nobody can tell."""
    if mode is not RetryMode.RESUME_FAILED_TASK:
        return None
    match error.details.get(_DETAIL):
        case RetryHelps.NEVER:
            return "a retry would end the same way: the work is published and judged, and no agent is asked again"
        case RetryHelps.WITH_NOTES if not new_notes:
            return "a retry without new notes would end the same way: the same work is judged again"
        case _:
            return None
