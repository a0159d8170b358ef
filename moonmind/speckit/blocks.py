"""The block structure of a Markdown file: its lines, which of them are not text, and its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moonmind.errors import SpecUnreadable

if TYPE_CHECKING:  # loaded by the first file that is read: a server and `speckit --help` start without it
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LARGEST = 1 << 20
"""Bytes; the largest of 236 real files has a tenth of that."""

BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_CONFLICT = re.compile(r"(?:<{7}|>{7}|\|{7})(?: |$)")
_RAW_HTML = ("<!--", "<pre", "<script", "<style", "<textarea")
_ATX = re.compile(r" {0,3}#{1,6} ")
_DEEP_FENCE = re.compile(r"(?: {4,}|[ ]{0,3}\t[ \t]*)(`{3,}|~{3,})([^`]*)$")
_SPEC_KIT_BOLD = re.compile(r"\s*\*\*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, without its line end."""

    number: int
    """1-based."""
    text: str
    offset: int
    """Byte offset of the line's first byte in the original file."""
    depth: int
    """How many list items the line's own item stands in; 1 = top level, 0 = starts no item."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading outside of quotes."""

    number: int
    """1-based line."""
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """Lines that are not part of the document's text: a fence, a comment, front matter."""

    kind: str
    first: int
    """1-based, inclusive."""
    last: int
    """1-based, inclusive."""
    closed: bool


@dataclass(frozen=True, slots=True)
class Blocks:
    """A file as lines and the structure over them."""

    lines: tuple[Line, ...]
    headings: tuple[Heading, ...]
    hidden: tuple[Hidden, ...]

    def visible(self) -> Iterator[Line]:
        """Return the lines outside of hidden blocks, in order."""
        covered = {number for block in self.hidden for number in range(block.first, block.last + 1)}
        return (line for line in self.lines if line.number not in covered)


def read_blocks(data: bytes, name: str) -> Blocks:
    """Decode a file and find its structure. Raises SpecUnreadable for what cannot be text."""
    pieces = _split(data, name)
    texts = [text for text, _ in pieces]
    tokens = _parser().parse("\n".join(texts))
    depths, headings, hidden = _structure(tokens, texts)
    lines = tuple(
        Line(number, text, offset, depths.get(number, 0)) for number, (text, offset) in enumerate(pieces, start=1)
    )
    return Blocks(lines, headings, hidden)


def _split(data: bytes, name: str) -> list[tuple[str, int]]:
    if len(data) > LARGEST:
        raise SpecUnreadable(f"{name} has {len(data)} bytes; at most {LARGEST} are read.")
    start = len(BOM) if data.startswith(BOM) else 0
    pieces: list[tuple[str, int]] = []
    for number, (raw, offset) in enumerate(_raw_lines(data, start), start=1):
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise SpecUnreadable(f"{name} line {number} is not UTF-8 text.", line=number) from error
        if "\0" in text:
            raise SpecUnreadable(f"{name} line {number} contains a NUL character; it is not a text file.", line=number)
        if _CONFLICT.match(text):
            raise SpecUnreadable(f"{name} line {number} is a merge conflict marker; resolve the conflict.", line=number)
        pieces.append((text, offset))
    if not any(text.strip() for text, _ in pieces):
        raise SpecUnreadable(f"{name} is empty.")
    return pieces


def _raw_lines(data: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    for end in _LINE_END.finditer(data, start):
        yield data[start : end.start()], start
        start = end.end()
    yield data[start:], start


def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt
    from mdit_py_plugins.front_matter import front_matter_plugin

    parser = MarkdownIt("commonmark").use(front_matter_plugin)
    parser.disable("reference")  # a link definition hides no task line
    parser.core.ruler.enableOnly(["normalize", "block"])  # inline structure is read by our own line grammar
    return parser


def _structure(
    tokens: "list[Token]", texts: list[str]
) -> tuple[dict[int, int], tuple[Heading, ...], tuple[Hidden, ...]]:
    depths: dict[int, int] = {}
    headings: list[Heading] = []
    hidden: list[Hidden] = []
    items = quotes = 0
    for position, token in enumerate(tokens):
        match token.type:
            case "list_item_open":
                items += 1
                if token.map:
                    depths.setdefault(token.map[0] + 1, items)
            case "list_item_close":
                items -= 1
            case "blockquote_open":
                quotes += 1
            case "blockquote_close":
                quotes -= 1
            case "heading_open" if not quotes:
                headings.extend(_heading(token, tokens[position + 1]))
            case "fence" | "html_block" | "front_matter":
                hidden.extend(_hidden(token, texts))
            case _:
                pass
    hidden.extend(_indented_fences(texts, hidden))
    return depths, tuple(headings), tuple(hidden)


def _indented_fences(texts: list[str], hidden: list[Hidden]) -> Iterator[Hidden]:
    """Find fences so far to the right that Markdown takes them for plain text; people mean fences all the same."""
    covered = {number for block in hidden for number in range(block.first, block.last + 1)}
    opened, marker = 0, ""
    for number, text in enumerate(texts, start=1):
        if number in covered or _ATX.match(text):
            opened = 0
            continue
        fence = _DEEP_FENCE.match(text)
        if fence is None:
            continue
        if not opened:
            opened, marker = number, fence[1]
        elif fence[1].startswith(marker) and not fence[2].strip():
            yield Hidden("fence", opened, number, closed=True)
            opened = 0


def _heading(opening: "Token", inline: "Token") -> Iterator[Heading]:
    if opening.map is None:
        return
    # Spec Kit writes `**Checkpoint**: ...` right above a `---`, which Markdown reads as an underlined heading.
    underlined = opening.markup in {"-", "="}
    if underlined and ("\n" in inline.content or _SPEC_KIT_BOLD.match(inline.content)):
        return
    yield Heading(opening.map[0] + 1, int(opening.tag[1:]), inline.content.strip())


def _hidden(token: "Token", texts: list[str]) -> Iterator[Hidden]:
    if token.map is None:
        return
    first, end = token.map
    last_text = texts[end - 1].strip(" \t>") if first < end <= len(texts) else ""
    match token.type:
        case "fence":
            marker = token.markup
            closed = end - 1 > first and len(last_text) >= len(marker) and not last_text.strip(marker[0])
            yield Hidden("fence", first + 1, end, closed)
        case "html_block":
            start = token.content.lstrip().lower()
            if start.startswith("<!--"):
                yield Hidden("comment", first + 1, end, "-->" in token.content)
            elif start.startswith(_RAW_HTML):
                yield Hidden("raw HTML", first + 1, end, "</" in token.content)
        case _:
            yield Hidden("front matter", first + 1, end, closed=True)
