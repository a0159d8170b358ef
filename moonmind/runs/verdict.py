"""What the evidence says of one spec task, and how it was said by earlier programs."""

from collections.abc import Mapping
from enum import StrEnum


class Verdict(StrEnum):
    """What the evidence says of one spec task. Only `tested` and `passing` rest on something that was executed."""

    TESTED = "tested"
    """A test that the task names or the change adds fails on the old code, passes on the new, and fails with the functions emptied
    that the change wrote in the task's files.
    """
    PASSING = "passing"
    """Every target of the task was changed, and the repository's tests were run: none that passed before fails."""
    CHANGED = "changed"
    """Every target of the task was changed, or deleted where the task asks for it; nothing confirms it."""
    CLAIMED = "claimed"
    """Only the agent's word. Ticks where a repository lets it (`policy.tick`)."""
    ACCEPTED = "accepted"
    """A person says that it is done; no agent was asked."""
    OPEN = "open"
    """A target is missing or unchanged, or nothing shows that the task is done."""
    CONTRADICTED = "contradicted"
    """The agent claims it and nothing that it names exists, a test that it names fails, or a target was deleted or emptied without
    being asked for.
    """

    @property
    def ticks(self) -> bool:
        """Return True if the task's box is ticked."""
        return self in {Verdict.TESTED, Verdict.PASSING, Verdict.CHANGED, Verdict.CLAIMED, Verdict.ACCEPTED}


_EARLIER: Mapping[str, Verdict] = {
    "proven": Verdict.CHANGED,
    "attested": Verdict.CLAIMED,
    "unproven": Verdict.OPEN,
}


def current_word(word: str) -> str:
    """Return today's word for a stored one; a word that is not known stays as it is."""
    known = _EARLIER.get(word)
    return word if known is None else known.value
