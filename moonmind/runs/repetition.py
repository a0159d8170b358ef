"""Whether a retry of a stage would only repeat its end: the stage writes it into the details of its error."""

from collections.abc import Callable
from enum import StrEnum

from moonmind import __version__
from moonmind.errors import ErrorInfo
from moonmind.runs.machine import RetryMode

_HELPS, _VERSION, _PATCH = "retry", "version", "patch"


class RetryHelps(StrEnum):
    """When a retry of the failed stage does something else than before; an error without this word: at any time."""

    WITH_NOTES = "with_notes"
    """The same patch is judged again, but new notes go to the agent first."""
    NEVER = "never"
    """The work is published and judged, and no agent is asked again."""

    def details(self, patch: str | None = None) -> dict[str, str]:
        """Return it as a part of an error's details; `patch` is the artifact that a retry judges again.

        The version is a part of it: another one may judge otherwise.
        """
        said = {_HELPS: self.value, _VERSION: __version__}
        return said if patch is None else {**said, _PATCH: patch}


def repeats(error: ErrorInfo, mode: RetryMode, *, new_notes: bool, kept: Callable[[str], bool]) -> str | None:
    """Return in words why a retry would end as the stage did before; None where it would not, or nobody can tell.

    `kept(path)` says whether the file of an artifact is still there: a retry without the patch goes to the agent.
    """
    if mode is not RetryMode.RESUME_FAILED_TASK or error.details.get(_VERSION) != __version__:
        return None
    match error.details.get(_HELPS):
        case RetryHelps.NEVER:
            return "a retry would end the same way: the work is published and judged, and no agent is asked again"
        case RetryHelps.WITH_NOTES if not new_notes:
            patch = error.details.get(_PATCH)
            if not isinstance(patch, str) or not kept(patch):
                return None
            return "a retry without notes that differ from the run's would end the same way: the same patch is judged again"
        case _:
            return None
