"""Split a plain shell command into words that know where they stand, or leave it alone.

Plain is one command without anything that a shell would expand, join or redirect: only then do words mean what they say.
Of all that is expanded, only the patterns `*` and `?` are taken: they stand for paths.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 10_000
_PIECE = re.compile(
    r"""(?P<plain>[^\s|&;<>(){}\[\]~#!$`\\'"\0]++)"""
    r"""|'(?P<single>[^'\0]*+)'"""
    r"""|"(?P<double>(?:[^"$`\\!\0]++|\$MOONMIND_(?:REPORTS|UNITTEST|NODE_REPORTER)(?![A-Za-z0-9_]))*)\""""
)
"""What stands for itself, outside of quotes and within; and the variables that we put into commands ourselves."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command."""

    text: str
    """Without its quotes."""
    start: int
    end: int
    """Where it stands in the command."""

    @property
    def assigns(self) -> bool:
        """Return True if it sets a variable, where it stands before a program."""
        return _ASSIGNMENT.match(self.text) is not None


def words_of(run: str) -> tuple[Word, ...] | None:
    """Return the words of a command; None if it is not plain."""
    if len(run) > LONGEST:
        return None
    words: list[Word] = []
    position = len(run) - len(run.lstrip(" \t"))
    while position < len(run):
        start, text = position, ""
        while piece := _PIECE.match(run, position):
            text += piece[piece.lastgroup or 0]
            position = piece.end()
        if position == start:
            return None
        words.append(Word(text, start, position))
        rest = run[position:].lstrip(" \t")
        if len(rest) == len(run) - position and rest:
            return None
        position = len(run) - len(rest)
    return tuple(words)


def quoted(files: Sequence[str]) -> str | None:
    """Return paths as words of a command, none of them an option; None if they cannot be, or are too many for one command."""
    if not files or any("\0" in file or not file for file in files):
        return None
    joined = shlex.join(f"./{file}" if file.startswith(("-", "@", "+")) else file for file in files)
    return joined if len(joined) <= LONGEST * 10 else None
