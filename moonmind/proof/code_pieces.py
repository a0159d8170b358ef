"""A source text as pieces of code that mean something: blocks and statements, without comments, layout and stubs."""

import re
from collections import Counter
from dataclasses import dataclass, field

from moonmind.proof.comment_syntax import Syntax, Token, tokens_of
from moonmind.proof.stub_words import (
    LONGEST,
    does_nothing,
    holds_skip_mark,
    marks_skipped,
    prepares,
    returns,
    skips,
)


@dataclass(slots=True)
class Pieces:
    """What a text holds."""

    code: Counter[str] = field(default_factory=Counter)
    """Pieces that do something, and how often each is there."""
    order: list[str] = field(default_factory=list)
    """The same, and the stubs, in the text's order."""
    stubs: Counter[str] = field(default_factory=Counter)
    """Bodies that do nothing, with what announces them."""
    statements: bool = True
    """False for data, markup and prose, where nothing prepares for anything."""
    frame: set[str] = field(default_factory=set)
    """Those of `code` that only prepare for more: imports, a logger."""

    @property
    def works(self) -> bool:
        """Return True if there is more than what prepares."""
        return any(piece not in self.frame for piece in self.code)

    def add(self, piece: str) -> None:
        """Take a piece that does something."""
        key = _tight(piece)
        if self.statements and prepares(piece.strip()):
            self.frame.add(key)
        self.code[key] += 1
        self.order.append(key)

    def add_stub(self, piece: str) -> None:
        """Take a piece that does nothing."""
        key = _tight(piece)
        self.stubs[key] += 1
        self.order.append(key)


_MARKS_ONLY = re.compile(r"[\W_]*")
_STRUCTURE = re.compile(r"(?:end|fi|done|esac|else|then|do|begin|try|finally|default:?|<\?php|\?>)\W*", re.IGNORECASE)
_LITERAL_OPENS = re.compile(r"(?:[=:(,\[?|&]|\breturn|\binterface|\bstruct|\benum)\s*$")
_TYPE = re.compile(r"\b(?:class|struct|interface|trait|object|record|enum|protocol|extension|impl|actor)\b")
_PARENT = re.compile(r"\b(?:extends|implements|with|for)\b|[:(]")
_HEADER = re.compile(
    r"^(?:(?:export|default|public|private|protected|static|async|pub(?:\(\w+\))?|local|open|override|abstract|final)[ ]+)*"
    r"(?:def|function|func|fn|fun|sub|class|module|describe|context|it|test|do|proc|macro|defmodule|defp)\b",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"^(?:\}?[ ]?else\b|if\b|for\b|while\b|switch\b|match\b|guard\b|unless\b|case\b|try\b|catch\b|with\b|select\b)",
    re.IGNORECASE,
)
_INITIALIZES = re.compile(r"\)[ ]?:[ ]?\w+[({]|\)[ ]?:[ ]?(?:super|base|this)\b")
_PROPERTY = re.compile(r"\b(?:private|public|protected|readonly)\b")
_SUITE = re.compile(r"\b(?:describe|context|suite|class|mod|module|impl)\b")
_LIST_OPENS = re.compile(
    r"(?:import|export|use|const|let|var)(?:[ ]type)?(?:[ ]\w{1,80},)?|module\.exports[ ]?=|use [\w:]{1,200}::",
    re.IGNORECASE,
)
_FEW = 6
_SIGNS = re.compile(r"([{}()\[\];\n])")
_SPACES = re.compile(r"\s+")
DEEPEST = 2_000
"""Blocks inside of each other; deeper ones count as one."""


def pieces_of(text: str, syntax: Syntax) -> Pieces:
    """Return what a text holds besides comments and layout."""
    tokens = tokens_of(text, syntax)
    return _of_blocks(tokens, syntax) if syntax.braces else _of_lines(tokens, syntax)


def plain(text: str) -> str:
    """Return a piece of code with as little space as keeps its words apart."""
    return _SPACES.sub(" ", text).strip()


@dataclass(slots=True)
class _Block:
    header: str
    pieces: list[str] = field(default_factory=list)
    stubs: list[str] = field(default_factory=list)


class _Blocks:
    """Blocks as they open and close; what stands in brackets is one statement whatever its line ends."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._open = [_Block("")]
        self._brackets = [0]
        self._held: list[str] = []
        self._too_deep = 0
        self._inline = 0

    def take(self, part: str) -> None:
        """Take a sign, or the text between signs."""
        match part:
            case "{" if self._inline or _is_list(self._held):
                self._inline += 1
                self._brackets[-1] += 1
                self.hold(part)
            case "}" if self._inline:
                self._inline -= 1
                self._brackets[-1] = max(self._brackets[-1] - 1, 0)
                self.hold(part)
            case "{":
                self._begin()
            case "}":
                self._end()
            case ";" | "\n" if self._brackets[-1] == 0:
                self._statement()
            case ";" | "\n":
                self.hold(" ")
            case "(" | "[":
                self._brackets[-1] += 1
                self.hold(part)
            case ")" | "]":
                self._brackets[-1] = max(self._brackets[-1] - 1, 0)
                self.hold(part)
            case _:
                self.hold(part)

    def hold(self, text: str) -> None:
        """Take text that ends nothing."""
        self._held.append(text)

    def whole(self) -> _Block:
        """Close all that is open, and return the outermost block."""
        self._too_deep = 0
        while len(self._open) > 1:
            self._end()
        self._statement()
        return self._open[0]

    def _words(self) -> str:
        words = plain("".join(self._held))
        self._held.clear()
        return words

    def _statement(self) -> None:
        _keep(self._open[-1], self._words(), self._syntax)

    def _begin(self) -> None:
        if len(self._open) > DEEPEST:
            self._too_deep += 1
            return
        self._open.append(_Block(self._words()))
        self._brackets.append(0)

    def _end(self) -> None:
        if self._too_deep:
            self._too_deep -= 1
        elif len(self._open) > 1:
            self._statement()
            block = self._open.pop()
            self._brackets.pop()
            _join(self._open[-1], block, self._syntax)


def _of_blocks(tokens: list[Token], syntax: Syntax) -> Pieces:
    blocks = _Blocks(syntax)
    for token in tokens:
        if token.quoted:
            blocks.hold(token.text)
        else:
            for part in _SIGNS.split(token.text):
                blocks.take(part)
    found, whole = Pieces(statements=syntax.code), blocks.whole()
    for piece in whole.pieces:
        found.add(piece)
    for piece in whole.stubs:
        found.add_stub(piece)
    return found


def _keep(block: _Block, words: str, syntax: Syntax) -> None:
    bare = words.strip(" ,")
    if not bare or (_MARKS_ONLY.fullmatch(bare) and bare not in {":", "..."}) or _STRUCTURE.fullmatch(bare):
        return
    if does_nothing(bare, syntax):
        block.stubs.append(words)
    else:
        block.pieces.append(words)


def _join(outer: _Block, block: _Block, syntax: Syntax) -> None:
    """Close a block: one without code is a stub, unless its braces are a value or its header says something itself."""
    header = block.header
    bare = header.strip(" ,")
    if syntax.code and (_is_skipped(outer, bare) or _skips(block, bare)):
        outer.stubs.append(f"{header} {{ skipped }}")
        return
    real = not all(prepares(piece) for piece in block.pieces)
    if real or (block.pieces and not block.stubs):
        early = [stub for stub in block.stubs if returns(stub)]
        outer.pieces += [*([f"{header} {{"] if header else []), *block.pieces, *early]
        outer.stubs += [stub for stub in block.stubs if not returns(stub)]
    elif block.stubs and _CONTROL.match(bare) and any(returns(stub) for stub in block.stubs):
        outer.pieces += [f"{header} {{", *block.stubs]
    elif header and (_initializes(header) or (not block.stubs and _says_something(header))):
        outer.pieces.append(f"{header} {{}}")
    elif header or block.stubs:
        outer.stubs.append(f"{header} {{ {'; '.join(block.stubs[:3])} }}")


def _says_something(header: str) -> bool:
    """Return True for a value in braces, and for a type that gets what it has from another."""
    if _LITERAL_OPENS.search(header[-LONGEST:]):
        return True
    found = _TYPE.search(header)
    return found is not None and _PARENT.search(header, found.end()) is not None


def _initializes(header: str) -> bool:
    """Return True for a constructor that does its work before its body."""
    if "constructor" in header and _PROPERTY.search(header):
        return True
    return _INITIALIZES.search(header) is not None


def _is_list(held: list[str]) -> bool:
    """Return True before the braces of `import { a } from "b"` and `const { a } = b`, which hold names."""
    return len(held) <= _FEW and _LIST_OPENS.fullmatch("".join(held).strip()) is not None


def _is_skipped(outer: _Block, header: str) -> bool:
    marked = bool(outer.stubs) and marks_skipped(outer.stubs[-1])
    return marked or skips(header) or holds_skip_mark(header)


def _skips(block: _Block, header: str) -> bool:
    """Return True if a test leaves at once, whatever else its body holds."""
    return not _SUITE.search(header) and any(skips(stub) and "{ skipped }" not in stub for stub in block.stubs)


def _of_lines(tokens: list[Token], syntax: Syntax) -> Pieces:
    found = Pieces(statements=syntax.code)
    headers: list[str] = []  # announced, and nothing in them yet
    for line in "".join(token.text for token in tokens).split("\n"):
        bare = plain(line)
        words = bare.strip(" ,")
        if not words or (_MARKS_ONLY.fullmatch(words) and (words != "..." or not syntax.code)):
            continue
        indent = len(line) - len(line.lstrip()) if syntax.indented else 0
        piece = f"{' ' * min(indent, 80)}{bare}"
        if does_nothing(words, syntax):
            found.add_stub(piece)
        elif syntax.code and _STRUCTURE.fullmatch(words):
            if headers and words.startswith("end"):
                found.add_stub(headers.pop())
        elif syntax.code and _HEADER.match(words):
            headers.append(piece)
        else:
            for header in headers:
                found.add(header)
            headers.clear()
            found.add(piece)
    for header in headers:
        found.add_stub(header)
    return found


def _tight(piece: str) -> str:
    """Return a piece without layout, but for its indentation; strings keep their spaces under other signs."""
    inner = piece.lstrip(" ")
    return piece[: len(piece) - len(inner)] + _SPACES.sub("", inner)
