"""Words in rows that this program does not know: another one wrote them, and they are shown as they are."""

from enum import StrEnum
from typing import TypeVar, cast

from moonmind.runs.chain import STAGES

W = TypeVar("W", bound=StrEnum)


class UnknownWord(str):
    """A word that is in none of our lists; it equals no member, so that nothing acts upon it."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Return the word, as a member does."""
        return str(self)

    @property
    def terminal(self) -> bool:
        """Return False: nobody here knows that a run of this status has ended."""
        return False

    @property
    def position(self) -> int:
        """Return the place behind the last stage that is known here."""
        return len(STAGES)


def read_word(words: type[W], text: str) -> W:
    """Return the member that a stored word names; another word is returned as `UnknownWord`, which has what all of them have."""
    try:
        return words(text)
    except ValueError:
        return cast("W", UnknownWord(text))
