"""Makes text that others wrote harmless: in rows, commit messages and pull requests."""

import re
from collections.abc import Callable, Iterable

from moonmind.speckit.hidden import strip_hidden

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
_CODE = re.compile(r"(?<![`\\])`([^`]+)`(?!`)")
_BLOCK = re.compile(r"^(?=[#>+=-]|\d+[.)])")
"""What would begin a heading, a list, a quote or a rule at the beginning of a line."""
_LONGEST_ESCAPE = len("&dollar;")
_TICKS = re.compile(r"`+")
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
    """Return a line for a pull request's body that renders literally: no HTML, no markup, no mention.

    It has at most `limit` characters, with what keeps it literal.
    """
    return _within(limit, text, lambda line: _still(_escaped(line)))


def markdown_with_code(text: str, limit: int = 300) -> str:
    """Return a line that renders literally, but for what stands between single backticks: that is shown as code.

    It has at most `limit` characters, with what keeps it literal.
    """
    return _within(limit, text, _literal_but_code)


def as_code(text: str, limit: int = 200) -> str:
    """Return a line as code, where nothing acts; a text that code cannot hold renders literally."""
    line = one_line(text, limit)
    return f"`{line}`" if line and "`" not in line else markdown(text, limit)


def code_block(lines: Iterable[str], limit: int, indent: str = "") -> list[str]:
    """Return lines as a block of code in which nothing acts and which nothing in them can end.

    Each keeps its indentation and shows at most `limit` characters.
    """
    shown = [_in_block(line, limit) for line in lines]
    longest = max((len(run) for line in shown for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{indent}{line}".rstrip() for line in (fence, *shown, fence)]


def _in_block(line: str, limit: int) -> str:
    text = "".join(
        " " if sign.isspace() else sign for sign in strip_hidden(line) if sign.isprintable() or sign.isspace()
    )
    text = text.rstrip() if len(text) <= limit else f"{text[: limit - 1]}…"
    for pattern, replacement in _ACTS:
        text = pattern.sub(replacement, text)
    # A comment would be taken for the mark of a run's section when the body is read again.
    return text.replace("<!", f"<{_GAP}!")


def _within(limit: int, text: str, write: Callable[[str], str]) -> str:
    """Cut a text until it has at most `limit` characters as it is written."""
    line = one_line(text, limit)
    while (over := len(written := write(line)) - limit) > 0 and len(line) > _SHORTEST:
        kept = len(line) - 2 - over // _LONGEST_ESCAPE
        line = line[: max(kept, 1)].rstrip() + "…"
    return written


def _literal_but_code(line: str) -> str:
    parts: list[str] = []
    end = 0
    for code in _CODE.finditer(line):
        # Nothing in a code span is markup, and it cannot be closed from inside: it holds no backtick.
        parts += [_escaped(line[end : code.start()]), code[0] if code[1].strip() else _escaped(code[0])]
        end = code.end()
    return _still("".join([*parts, _escaped(line[end:])]))


def _escaped(text: str) -> str:
    shown = _MARKUP.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("$", "&dollar;")  # a forge renders what stands between two as a formula, code in it too


def _still(line: str) -> str:
    line = _BLOCK.sub(_GAP, line)
    for pattern, replacement in _ACTS:
        line = pattern.sub(replacement, line)
    return line
