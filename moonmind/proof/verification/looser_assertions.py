"""Tests that assert of the same value something looser than before: `in` where `==` stood, truth, a larger tolerance."""

import ast
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from moonmind.proof.python_parsing import parse_python

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_EXACT, _CLOSE, _PART, _LOOSE = 4.0, 3.0, 2.0, 1.0
_METHODS: Mapping[str, tuple[float, int]] = {
    **dict.fromkeys(
        ("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual", "assertIs",
         "assertMultiLineEqual", "assertSequenceEqual"), (_EXACT, 2)
    ),
    **dict.fromkeys(("assertAlmostEqual", "assertAlmostEquals"), (_CLOSE, 2)),
    **dict.fromkeys(
        ("assertIn", "assertRegex", "assertGreater", "assertGreaterEqual", "assertLess", "assertLessEqual", "assertCountEqual"), (_PART, 2)
    ),
    **dict.fromkeys(("assertFalse", "assertIsNone"), (_PART, 1)),
    **dict.fromkeys(("assertIsNotNone", "assertIsInstance"), (_LOOSE, 1)),
    **dict.fromkeys(("assertNotEqual", "assertIsNot", "assertNotIn"), (_LOOSE, 2)),
}  # fmt: skip
"""How much a method of unittest asserts, and of how many of its arguments."""
_MOST = 2_000
"""Assertions of a file, and nodes of a value, that are looked at."""


@dataclass(frozen=True, slots=True)
class _Form:
    """That something is asserted of a value."""

    value: str
    strength: float
    always: bool
    """It is not under a condition."""


def looser_in_python(before: bytes, after: bytes) -> tuple[str, ...]:
    """Return the tests that are in both files and assert something looser of the same value, by their keys."""
    old, new = _tests(before), _tests(after)
    return tuple(name for name, forms in old.items() if name in new and _is_looser(forms, new[name]))


def _is_looser(before: list[_Form], after: list[_Form]) -> bool:
    if before == after:
        return False
    for value in dict.fromkeys(one.value for one in before):
        old = [one for one in before if one.value == value]
        new = [one for one in after if one.value == value]
        if len(new) < len(old):
            continue  # whether they are missed is told by numbers
        if max(one.strength for one in new) < max(one.strength for one in old) and not _in_parts(value, after):
            return True
        if any(one.always for one in old) and not any(one.always for one in new):
            return True
    return False


def _in_parts(value: str, forms: list[_Form]) -> bool:
    """Return True if parts of the value are asserted exactly instead: `found["a"] == 1`."""
    return any(value in one.value and one.value != value and one.strength >= _CLOSE for one in forms)


def _tests(content: bytes) -> dict[str, list[_Form]]:
    try:
        tree = parse_python(content.decode("utf-8-sig"))
        if tree is None:
            return {}
        found: dict[str, list[_Form]] = {}
        waiting: list[tuple[str, ast.AST]] = [("", node) for node in tree.body]
        left = _MOST
        while waiting and left > 0:
            place, node = waiting.pop()
            if isinstance(node, ast.ClassDef):
                waiting += [(f"{place}{node.name}::", one) for one in node.body]
            elif isinstance(node, _Function) and node.name.startswith("test"):
                forms = list(islice(_Reading(node).forms(), left))
                left -= len(forms)
                # Of two of one name the later one is run.
                found.setdefault(f"{place}{node.name}", forms)
    except (UnicodeDecodeError, RecursionError):
        return {}
    return found


class _Reading:
    """Reads one test."""

    def __init__(self, test: _Function) -> None:
        self._test = test
        given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(test):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                given.setdefault(node.id, [])
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                given.setdefault(node.targets[0].id, []).append(node.value)
        stores = Counter(
            one.id for one in ast.walk(test) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        )
        self._values = {name: values[0] for name, values in given.items() if len(values) == stores[name] == 1}

    def forms(self) -> Iterator[_Form]:
        """Yield what it asserts, in no order."""
        waiting: list[tuple[ast.AST, bool]] = [(node, True) for node in self._test.body]
        while waiting:
            node, always = waiting.pop()
            match node:
                case ast.Assert(test=test):
                    yield from self._of(test, always)
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name), args=[_, *_]) as call):
                    yield from self._of_method(name, call, always)
                case ast.With() | ast.AsyncWith():
                    yield from self._raising(node, always)
            inner = always and not (isinstance(node, ast.If) and not node.orelse)
            if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case) and not isinstance(node, _Function):
                waiting += [
                    (one, inner)
                    for one in ast.iter_child_nodes(node)
                    if isinstance(one, ast.stmt | ast.excepthandler | ast.match_case)
                ]

    def _of(self, test: ast.expr, always: bool) -> Iterator[_Form]:
        match test:
            case ast.BoolOp(values=values):
                yield from self._joined(test, values, always)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._form(operand, _PART, always)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                yield from self._compared(left, op, right, always)
            case ast.Compare(left=left, ops=ops, comparators=values):
                strength = _EXACT if all(isinstance(op, ast.Eq | ast.Is) for op in ops) else _PART
                yield from (self._form(one, strength, always) for one in (left, *values) if not _is_constant(one))
            case ast.Call(func=ast.Name(id="isinstance" | "callable" | "hasattr"), args=[one, *_]):
                yield self._form(one, _LOOSE, always)
            case ast.NamedExpr(value=value):
                yield from self._of(value, always)
            case _:
                yield self._form(test, _LOOSE, always)

    def _joined(self, test: ast.BoolOp, values: Iterable[ast.expr], always: bool) -> Iterator[_Form]:
        most = _EXACT if isinstance(test.op, ast.And) else _PART
        for one in values:
            for form in self._of(one, always):
                yield _Form(form.value, min(form.strength, most), always)

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, always: bool) -> Iterator[_Form]:
        for one, other in ((left, right), (right, left)):
            if _is_constant(one) or _is_approx(one):
                continue
            match op:
                case ast.Eq() | ast.Is() if _is_approx(other):
                    strength = _CLOSE - _tolerance(other)
                case ast.Eq() | ast.Is() if isinstance(other, ast.Constant) and other.value is True:
                    strength = _LOOSE  # a matter of style
                case ast.Eq() | ast.Is() if _is_nothing(other):
                    strength = _PART
                case ast.Eq() | ast.Is():
                    strength = _EXACT
                case ast.NotEq() | ast.IsNot() | ast.NotIn():
                    strength = _LOOSE
                case _:
                    strength = _PART
            yield self._form(one, strength, always)

    def _of_method(self, name: str, call: ast.Call, always: bool) -> Iterator[_Form]:
        if name in {"assertTrue", "assert_"}:
            yield from self._of(call.args[0], always)
        elif name in _METHODS:
            strength, count = _METHODS[name]
            if name.startswith("assertAlmostEqual"):
                strength -= _tolerance(call)
            elif name in {"assertEqual", "assertIs"} and any(_is_nothing(one) for one in call.args[:2]):
                strength = _PART
            for one in call.args[:count]:
                if not _is_constant(one):
                    yield self._form(one, strength, always)

    def _raising(self, node: ast.With | ast.AsyncWith, always: bool) -> Iterator[_Form]:
        for item in node.items:
            match item.context_expr:
                case ast.Call(
                    func=ast.Attribute(attr="raises" | "assertRaises" | "assertRaisesRegex" as name),
                    args=[kind, *_],
                    keywords=words,
                ):
                    broad = any(
                        isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"} for one in ast.walk(kind)
                    )
                    exact = name == "assertRaisesRegex" or any(one.arg == "match" for one in words)
                    body = " ".join(ast.dump(one) for one in node.body[:1])[: 8 * _MOST]
                    yield _Form(f"raised by {body}", (_PART if broad else _CLOSE) + (0.5 if exact else 0), always)

    def _form(self, value: ast.expr, strength: float, always: bool) -> _Form:
        if isinstance(value, ast.Name) and value.id in self._values:
            value = self._values[value.id]
        if isinstance(value, ast.Await):
            value = value.value
        return _Form(ast.dump(value)[: 8 * _MOST], strength, always)


def _is_constant(node: ast.expr) -> bool:
    allowed = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.expr_context, ast.UnaryOp, ast.unaryop)
    return all(isinstance(one, allowed) for one in ast.walk(node))


def _is_nothing(node: ast.expr) -> bool:
    """Return True for what is false in a condition."""
    match node:
        case ast.Constant(value=value):
            return not value
        case ast.Tuple(elts=[]) | ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
    return False


def _is_approx(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="approx") | ast.Attribute(attr="approx")):
            return True
    return False


def _tolerance(call: ast.expr) -> float:
    """Return how much a tolerance takes from an assertion: nothing where none is given."""
    most = 0.0
    given = list(call.keywords) if isinstance(call, ast.Call) else []
    if isinstance(call, ast.Call) and _is_approx(call):
        given += [ast.keyword("rel", one) for one in call.args[1:2]] + [
            ast.keyword("abs", one) for one in call.args[2:3]
        ]
    elif isinstance(call, ast.Call):
        given += [ast.keyword("places", one) for one in call.args[2:3]]
    for one in given:
        match one.arg, one.value:
            case "places", ast.Constant(value=int(places)):
                most = max(most, _taken(10.0 ** -min(max(places, 0), 12)))
            case "abs" | "rel" | "delta", ast.Constant(value=int() | float() as size):
                most = max(most, _taken(float(size)))
    return most


def _taken(size: float) -> float:
    if not math.isfinite(size):
        return 0.9
    return 0.04 * min(max(math.log10(size) + 12, 0), 20) if size > 0 else 0.0
