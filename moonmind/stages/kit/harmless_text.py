"""Makes text that others wrote harmless: in rows, commit messages and pull requests."""

import re

from moonmind.speckit.prompt import strip_hidden

_GAP = "\u200b"
"""A zero-width space: people read the text as it was, and the forge finds no mention in it."""

_ACTS = (
    (re.compile(r"@(?=\w)"), f"@{_GAP}"),  # notifies people and teams
    (re.compile(r"#(?=\d)"), f"#{_GAP}"),  # refers to an issue; "fixes #1" closes it
    (re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE), rf"\1{_GAP}-"),
    (re.compile(r"://"), f":{_GAP}//"),  # so does the address of an issue; images would be fetched
    (re.compile(r"\bwww\.", re.IGNORECASE), f"www{_GAP}."),
)
_MARKUP = re.compile(r"([\\`*_{}\[\]()~|!])")
_SPACE = re.compile(r"\s+")
_SHORTEST = 2


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, without hidden characters, cut to `limit` characters."""
    line = _SPACE.sub(" ", "".join(sign for sign in strip_hidden(text) if sign.isprintable() or sign.isspace())).strip()
    return line if len(line) <= limit else line[: max(limit, _SHORTEST) - 1].rstrip() + "…"


def inert(text: str, limit: int = 200) -> str:
    """Return a line for a title or a commit message that mentions no user, references no issue and closes none."""
    line = one_line(text, limit)
    for pattern, replacement in _ACTS:
        line = pattern.sub(replacement, line)
    return line


def markdown(text: str, limit: int = 300) -> str:
    """Return a line for a pull request's body that renders literally: no HTML, no markup, no mention."""
    line = one_line(text, limit)
    line = _MARKUP.sub(r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for pattern, replacement in _ACTS:
        line = pattern.sub(replacement, line)
    return line
