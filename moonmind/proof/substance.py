"""Whether a file's change is one that counts: code, and not only layout, comments, stubs or skipped tests."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from moonmind.proof.code_pieces import Pieces, pieces_of
from moonmind.proof.comment_syntax import syntax_of, tokens_of
from moonmind.proof.python_pieces import python_pieces
from moonmind.proof.source_languages import is_in_another_language
from moonmind.speckit.evidence import is_test
from moonmind.speckit.wording import Asked

LARGEST = 512 * 1024
"""Bytes of a file that is looked into; of a larger one only the bytes are compared."""

_MAY_BE_EMPTY = frozenset({"__init__.py", "__init__.pyi", "py.typed", ".gitkeep", ".keep", ".nojekyll", ".npmignore"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
_PYTHON = (".py", ".pyi", ".pyw")


class Kind(StrEnum):
    """What became of a file; the words are said to people."""

    COUNTS = "changed"
    SAME = "unchanged"
    EMPTY = "empty"
    EMPTIED = "emptied"
    GUTTED = "emptied of code"
    LAYOUT = "only blank lines or spaces"
    COMMENTS = "only comments"
    STUB = "only a stub"
    SKIPPED = "only skipped tests"
    LESS = "only lines removed"
    MODE = "only its mode"
    LINK = "only a link"
    COPY = "only a copy of another file"
    LANGUAGE = "written in another language"


@dataclass(frozen=True, slots=True)
class Substance:
    """What a change of one file comes to."""

    kind: Kind
    added: frozenset[str] = frozenset()
    """Names in the lines that the change adds."""
    test: bool = False

    def counts(self, asked: Collection[Asked]) -> bool:
        """Return True if the change counts for a task that asks for these things besides code."""
        if self.test and self.kind is Kind.LESS:
            return Asked.REMOVAL in asked
        wanted = _COUNTS_IF_ASKED.get(self.kind)
        return self.kind is Kind.COUNTS or (wanted is not None and wanted in asked)


_COUNTS_IF_ASKED = {
    Kind.EMPTY: Asked.STUB,
    Kind.STUB: Asked.STUB,
    Kind.GUTTED: Asked.REMOVAL,
    Kind.COMMENTS: Asked.COMMENTS,
    Kind.LAYOUT: Asked.LAYOUT,
    Kind.SKIPPED: Asked.SKIPPED,
    Kind.LESS: Asked.LESS,
    Kind.MODE: Asked.MODE,
    Kind.LINK: Asked.LINK,
    Kind.COPY: Asked.COPY,
}


def substance_of(path: str, before: bytes | None, after: bytes) -> Substance:
    """Compare a file's content with the one before; None if it was not there."""
    if before == after:
        return Substance(Kind.SAME)
    name = path.rpartition("/")[2]
    if before is None and name in _MAY_BE_EMPTY:
        return Substance(Kind.COUNTS)
    if not after.strip():
        if before is None:
            return Substance(Kind.EMPTY)
        return Substance(Kind.EMPTIED if before.strip() else Kind.LAYOUT)
    old, new = _text(before), _text(after)
    if new is None or old is None:
        # Binary, or too large to look into: that its bytes differ is all that can be said.
        return Substance(Kind.COUNTS)
    if is_in_another_language(path, new) and not is_in_another_language(path, old):
        return Substance(Kind.LANGUAGE)
    kind = _kind(path, old, new, was_there=before is not None)
    return Substance(kind, _names_added(old, new) if kind is Kind.COUNTS else frozenset(), is_test(path))


def _text(content: bytes | None) -> str | None:
    if content is None:
        return ""
    if len(content) > LARGEST or b"\0" in content[:8192]:
        return None
    return content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _names_added(old: str, new: str) -> frozenset[str]:
    lines = Counter(new.split("\n")) - Counter(old.split("\n"))
    return frozenset(name for line in lines for name in _NAME.findall(line))


def _kind(path: str, old: str, new: str, *, was_there: bool) -> Kind:
    before, after = _pieces(path, old, new)
    fresh = after.code - before.code
    stubs = after.stubs - before.stubs
    if any(piece not in after.frame for piece in fresh) or (fresh and not stubs and (after.works or not before.works)):
        return Kind.COUNTS
    if before.works and not after.works:
        return Kind.GUTTED
    if stubs:
        skipped = is_test(path) and all("skip" in piece.casefold() for piece in stubs)
        return Kind.SKIPPED if skipped else Kind.STUB
    if before.code - after.code or before.stubs - after.stubs:
        return Kind.LESS
    same_code = _compact(path, old, comments=False) == _compact(path, new, comments=False)
    if before.order != after.order and not same_code:
        return Kind.COUNTS
    if not was_there:
        return Kind.COMMENTS
    same_words = _compact(path, old, comments=True) == _compact(path, new, comments=True)
    return Kind.LAYOUT if same_words else Kind.COMMENTS


def _pieces(path: str, old: str, new: str) -> tuple[Pieces, Pieces]:
    """Read both texts in the same way: by `ast` if both are Python, else by their comments and blocks."""
    if path.casefold().endswith(_PYTHON):
        interface = path.casefold().endswith(".pyi")
        parsed = python_pieces(old, interface=interface), python_pieces(new, interface=interface)
        if parsed[0] is not None and parsed[1] is not None:
            return parsed[0], parsed[1]
    syntax = syntax_of(path, new)
    before, after = pieces_of(old, syntax), pieces_of(new, syntax)
    if not syntax.indented and _compact(path, old, comments=False) == _compact(path, new, comments=False):
        # Only line ends moved: a formatter was at work.
        after = before
    return before, after


def _compact(path: str, text: str, *, comments: bool) -> str:
    syntax = syntax_of(path, text)
    words = text if comments else "".join(token.text for token in tokens_of(text, syntax))
    return "".join(words.split())
