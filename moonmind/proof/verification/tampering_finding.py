"""One thing about a change that keeps its tests from showing what they seem to show."""

from dataclasses import dataclass
from enum import StrEnum


class Tampering(StrEnum):
    """What was done; the words are said to people."""

    GONE = "a test is gone"
    SKIPPED = "a test is skipped now"
    WEAKENED = "a test asserts less"
    EMPTIED = "a test is emptied"
    SHADOWS = "a file takes the place of the test runner or of what it imports"
    DESELECTS = "the configuration leaves tests out"
    OUTCOMES = "a hook changes the outcome of tests"
    SCRIPT = "the test command is another one"
    REPORT = "a report of tests came with the change"


@dataclass(frozen=True, slots=True)
class TamperingFinding:
    """One finding; it never raises a verdict."""

    kind: Tampering
    subject: str
    """The path or the id of the test: hostile text."""
    words: str
    """What was found, for people: may quote hostile text."""
    confirms_nothing: bool
    """True if no run of the tests confirms anything of the change, False if it is only said."""
