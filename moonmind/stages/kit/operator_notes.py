"""Whether the operator wrote something new for the agent since a stage recorded its notes."""

import hashlib

from moonmind.engine.stage_context import StageContext


def notes_mark(context: StageContext) -> str:
    """Name the operator's notes as they are now."""
    return hashlib.sha256((context.run.notes or "").encode("utf-8", "surrogatepass")).hexdigest()[:16]


def new_notes(context: StageContext, mark: str | None) -> bool:
    """Return True if the operator wrote other notes since `mark` was recorded: the agent is to be asked again."""
    return mark not in {None, notes_mark(context)}
