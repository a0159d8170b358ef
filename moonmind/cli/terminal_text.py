"""Make text harmless for a terminal: agents, specs and repositories write what they like."""

import re
import unicodedata

_SEQUENCES = re.compile(
    r"""
      (?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c|(?=\x1b)|\Z)   # OSC, DCS, SOS, PM, APC, their text
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                                               # CSI: colours, cursor, clear
    | \x1b [ -/]* [0-~]?                                                                 # the short ones
    """,
    re.VERBOSE,
)
_REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that show text in another order than it has: they can make a command look like another."""


def clean(text: str) -> str:
    """Remove terminal sequences and control characters; line feeds and tabs stay."""
    text = _SEQUENCES.sub("", text)
    text = _REORDERING.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def one_line(text: str) -> str:
    """Clean a text and bring it onto one line."""
    return " ".join(clean(text).split())


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    match unicodedata.category(character):
        case "Cc":
            return ""
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"  # half of a character: no encoder takes it
        case "Zl" | "Zp":
            return "\n"
        case _:
            return character
