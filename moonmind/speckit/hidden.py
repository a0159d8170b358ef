"""Takes out of a text what a reader would not see, so that a spec cannot whisper to the agent."""

import re
import unicodedata

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_VISIBLE_CONTROLS = frozenset("\n\t")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2028\u2029\u2800\u3164\uffa0")
"""Characters with no ink that Unicode counts as letters, marks or symbols."""


def strip_controls(text: str) -> str:
    """Take out control, zero-width, bidi, tag and private characters; line ends become `\\n`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sign for sign in text if sign in _VISIBLE_CONTROLS or not _is_hidden(sign))


def strip_hidden(text: str) -> str:
    """Take out hidden characters and HTML comments, also one that never ends."""
    return _COMMENT.sub(" ", strip_controls(text))  # a space, so that what is left cannot join to a new comment


def _is_hidden(sign: str) -> bool:
    if sign.isascii():
        return sign < " " or sign == "\x7f"
    variation = "\ufe00" <= sign <= "\ufe0e" or "\U000e0100" <= sign <= "\U000e01ef"
    return variation or sign in _INVISIBLE or unicodedata.category(sign) in _INVISIBLE_CATEGORIES
