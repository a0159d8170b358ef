"""A Python text as statements that mean something, read by `ast`: docstrings, stubs and skipped tests do not."""

import ast
import re
from collections.abc import Iterable, Iterator

from moonmind.proof.code_pieces import Pieces
from moonmind.proof.python_parsing import parse_python

LARGEST = 256 * 1024
"""Characters that are parsed; a longer text is read line by line."""

_SAYS_LATER = re.compile(
    r"not (?:yet )?implemented|unimplemented|implement(?: me| this)?\b|\bto-?do\b|\btbd\b|\bfixme\b|\bstub\b|\bplaceholder\b",
    re.IGNORECASE,
)
_SKIPS = frozenset({"skip", "xfail", "expectedFailure", "skipTest", "SkipTest", "importorskip"})
_SKIPS_IF = frozenset({"skipif", "skipIf", "skipUnless"})
_ABSTRACT = frozenset({"abstractmethod", "abstractproperty", "overload"})
_INTERFACES = frozenset({"Protocol", "ABC"})
_TALKS = frozenset({"print", "debug", "info", "warning", "error", "log", "echo"})
_FRAME_NAMES = frozenset({"log", "logger", "_log", "_logger", "LOG", "LOGGER", "__all__"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_pieces(text: str, *, interface: bool = False) -> Pieces | None:
    """Return what a Python text holds, or None if it cannot be parsed; with `interface` (a `.pyi`) no body is a stub."""
    if len(text) > LARGEST:
        return None
    tree = parse_python(text)
    if tree is None:
        return None
    found = Pieces()
    try:
        skipped = any(_skips_module(node) for node in tree.body)
        _Reading(found, interface).read(tree.body, skipped)
    except RecursionError:
        # A hostile file may be nested as deep as it is long; it is read line by line instead.
        return None
    return found


class _Reading:
    """One walk over the statements, in order and without recursion."""

    def __init__(self, found: Pieces, interface: bool) -> None:
        self._found = found
        self._interface = interface

    def read(self, body: Iterable[ast.stmt], skipped: bool) -> None:
        """Take a module's statements."""
        # (statement, where it stands, whether it is skipped, whether hollow bodies are meant)
        waiting = [(node, "", skipped, self._interface) for node in reversed(list(body))]
        while waiting:
            node, place, off, meant = waiting.pop()
            off = off or _is_skipped(node)
            if isinstance(node, ast.ClassDef):
                meant = meant or any(_last_name(base) in _INTERFACES for base in node.bases)
            header = f"{place}{_header(node)}"
            hollow = _is_hollow(node) and not (meant or _is_abstract(node))
            if off or hollow:
                self._stub(f"{header} (skipped)" if off else header)
            elif not _does_nothing(node):
                self._take(node, header)
            if hollow:
                continue  # what is in it says nothing more
            inside = f"{place}{node.name}." if isinstance(node, _Function | ast.ClassDef) else place
            waiting += [(child, inside, off, meant) for child in reversed(list(_statements(node)))]

    def _take(self, node: ast.stmt, key: str) -> None:
        self._found.code[key] += 1
        self._found.order.append(key)
        if _is_frame(node):
            self._found.frame.add(key)

    def _stub(self, key: str) -> None:
        self._found.stubs[key] += 1
        self._found.order.append(key)


def _header(node: ast.stmt) -> str:
    """Write a statement down without the statements in it."""
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in {"type_comment", "lineno"}:
            continue
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, ast.stmt):
                continue
            if isinstance(item, ast.ExceptHandler):
                parts.append(f"except {ast.dump(item.type) if item.type else ''} {item.name or ''}")
            elif isinstance(item, ast.match_case):
                parts.append(f"case {ast.dump(item.pattern)} {ast.dump(item.guard) if item.guard else ''}")
            else:
                parts.append(ast.dump(item) if isinstance(item, ast.AST) else f"{name}={item!r}")
    return " ".join(parts)


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """List the statements right inside of a statement, those of handlers and cases included."""
    for _, value in ast.iter_fields(node):
        for item in value if isinstance(value, list) else ():
            if isinstance(item, ast.stmt):
                yield item
            elif isinstance(item, ast.ExceptHandler | ast.match_case):
                yield from item.body


def _does_nothing(node: ast.stmt) -> bool:
    """Return True for what may stand anywhere and does nothing: docstrings, `pass`, a promise to do it later."""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assert(test=ast.Constant()):
            return True
        case ast.Raise(exc=raised) if raised is not None:
            name = _last_name(raised.func if isinstance(raised, ast.Call) else raised)
            return name in {"NotImplementedError", "NotImplemented"} or _says_later(raised)
        case ast.Expr(value=ast.Call(func=called)) if _last_name(called) in _TALKS:
            return _says_later(node.value)
    return False


def _says_later(node: ast.expr) -> bool:
    words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)] if isinstance(node, ast.Call) else []
    return any(isinstance(word, str) and _SAYS_LATER.search(word) for word in words)


def _is_hollow(node: ast.stmt) -> bool:
    """Return True for a function or class whose body does nothing; a class that derives from another is something."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return all(_does_nothing(inner) or _returns_nothing(inner) for inner in node.body)
        case ast.ClassDef():
            inner = [one for one in node.body if not _does_nothing(one)]
            if not inner:
                return not (node.bases or node.keywords or node.decorator_list)
            interface = any(_last_name(base) in _INTERFACES for base in node.bases)
            return not interface and all(
                isinstance(one, _Function) and (_is_hollow(one) or _is_skipped(one)) and not _is_abstract(one)
                for one in inner
            )
        case _:
            return _does_nothing(node) and not _is_text(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is not ...


def _returns_nothing(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Return):
        return False
    value = node.value
    if isinstance(value, ast.Constant):
        return value.value is None or value.value is ...
    return value is None or (isinstance(value, ast.Name) and value.id == "NotImplemented")


def _is_abstract(node: ast.stmt) -> bool:
    return isinstance(node, _Function) and any(_last_name(mark) in _ABSTRACT for mark in node.decorator_list)


def _is_skipped(node: ast.stmt) -> bool:
    """Return True for a test, or a class of tests, that never runs."""
    if not isinstance(node, _Function | ast.ClassDef):
        return False
    if any(_is_skip(mark) for mark in node.decorator_list):
        return True
    first = next((inner for inner in node.body if not _is_text(inner)), None)
    return isinstance(node, _Function) and first is not None and _skips_module(first)


def _is_skip(mark: ast.expr) -> bool:
    name = _last_name(mark.func if isinstance(mark, ast.Call) else mark)
    if name in _SKIPS_IF:
        return isinstance(mark, ast.Call) and bool(mark.args) and isinstance(mark.args[0], ast.Constant)
    return name in _SKIPS - {"importorskip"}


def _skips_module(node: ast.stmt) -> bool:
    """Return True for a statement that skips all that follows it."""
    match node:
        case ast.Expr(value=ast.Call(func=called)):
            return _last_name(called) in {"skip", "skipTest"}
        case ast.Raise(exc=raised) if raised is not None:
            return _last_name(raised.func if isinstance(raised, ast.Call) else raised) == "SkipTest"
        case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
            marks = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            return any(_is_skip(mark) for mark in marks)
    return False


def _is_frame(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal():
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in _FRAME_NAMES
        case ast.If(test=test):
            return _last_name(test) == "TYPE_CHECKING"
    return False


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _last_name(node.func) if not isinstance(node.func, ast.Call) else ""
    return node.id if isinstance(node, ast.Name) else ""
