"""Empties the functions of a Python file that a change added or changed."""

import ast
import io
import re
import symtable
import tokenize
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from moonmind.proof.python_parsing import LARGEST, parse_python
from moonmind.proof.verification.function_guards import Condition, Emptied, Guarding, Insertion
from moonmind.proof.verification.import_time import Function, runs_on_import

_BREAK = re.compile(rb"\r\n|\r|\n")
_BACKSLASH = re.compile(rb"\\\s*\Z")
_BOM = b"\xef\xbb\xbf"
_LARGEST_GUARDED = 4 * LARGEST
_INERT = (
    b'().__class__.__class__("_",(),{"__call__":lambda s,*_,**__:s,"__getattr__":lambda s,n:'
    b'().__class__.__base__.__getattribute__(s,n)if n[:2]=="__"else s,"__getitem__":lambda s,_:s,"__iter__":lambda s:().__iter__(),'
    b'"__enter__":lambda s:s,"__exit__":lambda s,*_:None,"__mro_entries__":lambda s,_:(),'
    b'"__eq__":lambda s,o:o.__class__.__name__=="_","__hash__":lambda s:0})()'
)
"""An object that can be used in every way and does nothing; two of them are equal. It uses no name: the function may give it another meaning."""
_MAY_RETURN = frozenset({"__new__", "__call__", "__getattr__", "__getitem__", "__enter__", "__aenter__", "__get__"})
"""Special methods that may return any object."""


_CONDITION = Condition(b"[5][:1]", b"[5][:0]")


def emptied_python(before: bytes | None, after: bytes, inert: bool = False) -> Emptied | None:
    """Return the file with the bodies emptied; None if there are none.

    Functions inside of others go with the outer one. Left as they are: stubs and overloads, what runs while the module
    loads unless the bodies are `inert`, lambdas that are not the value of a name. None too where one of the files is no
    Python that can be read.
    """
    tree, old = _parsed(after), _parsed(before or b"")
    if tree is None or old is None:
        return None
    found = Guarding()
    try:
        known = Counter((name, _meaning(node)) for name, node in _definitions(old))
        definitions = list(_definitions(tree))
        loading = frozenset[str]() if inert else runs_on_import(tree, dict(definitions))
        source = _Source(after, inert=inert)
        for name, node in definitions:
            key = name, _meaning(node)
            if known[key] > 0:
                known[key] -= 1
            elif guard := source.guard(node):
                if name in loading:
                    found.left.append(name)
                else:
                    found.insertions += guard
                    found.functions.append(name)
    except RecursionError:
        # What the parser takes may still be too deep to be written down.
        return None
    emptied = found.emptied(after, _CONDITION)
    return emptied if emptied is not None and _loads(emptied.content) else None


def _loads(content: bytes) -> bool:
    """Return True if Python takes a guarded file, whose guards may not fit what names the functions declare.

    It is not compiled: `finally` in `finally` makes code double with each level, and a hostile file takes minutes.
    """
    if _parsed(content, _LARGEST_GUARDED) is None:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symtable.symtable(content.decode("utf-8-sig"), "guarded", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _parsed(content: bytes, largest: int = LARGEST) -> ast.Module | None:
    if len(content) > largest:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode("utf-8-sig")
    except (SyntaxError, UnicodeDecodeError):
        return None
    return parse_python(text, largest) if encoding in {"utf-8", "utf-8-sig"} else None


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Function | ast.Lambda]]:
    """Yield the functions that are in no other function, and lambdas that are given a name, in the file's order."""
    waiting: list[tuple[str, ast.AST]] = [("", node) for node in reversed(tree.body)]
    while waiting:
        place, node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield f"{place}{name}", node
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda() as value):
                yield f"{place}{name}", value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Lambda() as value):
                yield f"{place}{name}", value
            case ast.ClassDef(name=name):
                place = f"{place}{name}."
        inside = [
            one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.excepthandler | ast.match_case)
        ]
        waiting += [(place, one) for one in reversed(inside)]


def _meaning(node: Function | ast.Lambda) -> str:
    """Write a function down without its docstring and layout."""
    if isinstance(node, ast.Lambda):
        return ast.dump(node)
    parts = [node.args, *node.decorator_list, *([node.returns] if node.returns else []), *_body(node)]
    return f"{type(node).__name__} {' '.join(ast.dump(part) for part in parts)}"


def _body(node: Function) -> list[ast.stmt]:
    """Return what a function does after its docstring."""
    return node.body[1:] if _is_text(node.body[0]) else node.body


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_stub(node: Function) -> bool:
    """Return True for an overload, and for a body that returns nothing or raises NotImplementedError already."""
    return any(_name(mark) == "overload" for mark in node.decorator_list) or all(map(_is_idle, node.body))


def _is_idle(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None | ast.Constant(value=None)):
            return True
        case ast.Raise(exc=ast.Name() | ast.Attribute() as raised):
            return _name(raised) == "NotImplementedError"
        case ast.Raise(exc=ast.Call(func=raised)):
            return _name(raised) == "NotImplementedError"
    return False


def _is_itself(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _yields(node: Function | ast.Lambda) -> bool:
    """Return True if a function is a generator; what is inside of functions in it says nothing about it."""
    waiting: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else [*node.body]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            return True
        match inner:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # Decorators and defaults are evaluated outside of it.
                waiting += [*inner.decorator_list, inner.args]
            case ast.Lambda():
                waiting.append(inner.args)
            case ast.ClassDef():
                waiting += [*inner.decorator_list, *inner.bases, *inner.keywords]
            case _:
                waiting += ast.iter_child_nodes(inner)
    return False


class _Source:
    """The bytes of a file, to be found by line and column as `ast` counts them."""

    def __init__(self, content: bytes, *, inert: bool) -> None:
        self._inert = inert
        self._content = content
        bom = len(_BOM) if content.startswith(_BOM) else 0
        self._starts: list[int] = [bom, *(found.end() for found in _BREAK.finditer(content))]
        self._break = found[0] if (found := _BREAK.search(content)) else b"\n"

    def guard(self, node: Function | ast.Lambda) -> list[Insertion]:
        """Return what empties a function; nothing where it is not to be emptied, or stands where no guard can."""
        if isinstance(node, ast.Lambda):
            return self._of_lambda(node)
        if _is_stub(node):
            return []
        body = _body(node)
        first, begin = self._begin(node.body[0]), self._begin(body[0])
        guard = b"if " + _CONDITION.holds + b": return" + self._returned(node, body)
        if (indentation := self._indentation(begin)) is not None:
            return [Insertion(begin, guard + self._break + indentation)]
        # It follows something in its line. What is moved to a line of its own makes all of the body move that stands in the head's.
        if (indentation := self._indentation(first)) is not None:
            place = self._break + indentation
            return [Insertion(begin, place + guard + place)]
        if (head := self._indentation(self._at(node.lineno, node.col_offset))) is None:
            return []
        place = self._break + head + b" "
        docstring = [Insertion(first, place)] if first != begin else []
        return [*docstring, Insertion(begin, place + guard + place)]

    def _returned(self, node: Function, body: list[ast.stmt]) -> bytes:
        if _yields(node):
            return b""
        if len(body) > 1 and _is_itself(body[-1]):
            return b" self"  # calls in a row go on, and come to nothing
        special = node.name.startswith("__") and node.name not in _MAY_RETURN
        return b" " + _INERT if self._inert and not special else b""

    def _of_lambda(self, node: ast.Lambda) -> list[Insertion]:
        body = node.body
        if (isinstance(body, ast.Constant) and body.value is None) or _yields(node):
            return []
        returned = _INERT if self._inert else b"None"
        begin = self._at(body.lineno, body.col_offset)
        end = self._at(body.end_lineno or body.lineno, body.end_col_offset or 0)
        return [Insertion(begin, b"(" + returned + b" if " + _CONDITION.holds + b" else ("), Insertion(end, b"))")]

    def _begin(self, node: ast.stmt) -> int:
        marks = node.decorator_list if isinstance(node, Function | ast.ClassDef) else []
        if not marks:
            return self._at(node.lineno, node.col_offset)
        # The place of a decorator is that of its expression: the sign stands before it, maybe lines before it.
        line = marks[0].lineno
        while line > 1 and not self._line(line).lstrip().startswith(b"@"):
            line -= 1
        start = self._starts[line - 1]
        return start + len(self._line(line)) - len(self._line(line).lstrip())

    def _indentation(self, place: int) -> bytes | None:
        """Return what stands before a place in its line; None where that is more than space, or the line goes on from the one before."""
        number = bisect_right(self._starts, place)
        before = self._content[self._starts[number - 1] : place]
        if before.strip(b" \t\f") or (number > 1 and self._goes_on(number - 1)):
            return None
        return before

    def _goes_on(self, number: int) -> bool:
        """Return True for a line whose end is taken back by a backslash that is in no comment."""
        return _BACKSLASH.search(self._line(number)) is not None and number not in self._comments

    @cached_property
    def _comments(self) -> frozenset[int]:
        """The numbers of the lines that end with a comment; of those before what cannot be read, if there is such."""
        found: set[int] = set()
        with suppress(tokenize.TokenError, SyntaxError):
            for token in tokenize.tokenize(io.BytesIO(_BREAK.sub(b"\n", self._content)).readline):
                if token.type == tokenize.COMMENT:
                    found.add(token.start[0])
        return frozenset(found)

    def _line(self, number: int) -> bytes:
        end = self._starts[number] if number < len(self._starts) else len(self._content)
        return self._content[self._starts[number - 1] : end]

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column
