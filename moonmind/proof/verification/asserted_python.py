"""What the tests of a Python file assert."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from moonmind.proof.python_parsing import parse_python
from moonmind.proof.verification.asserted import MANY, Asserted

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Display = ast.Tuple | ast.List | ast.Set
_ASSERTS = re.compile(r"_*assert(?:[A-Z_]\w*)?")
_OF_PYTEST = frozenset({"raises", "warns", "fail", "deprecated_call"})
_COMPARES = re.compile(
    r"assert_?(?:true|false|(?:not_?)?equals?|is(?:_?not)?(?:_?none)?|(?:not_?)?in|(?:greater|less)(?:_?equal)?"
    r"|(?:list|dict|tuple|set|count)_?equal|almost_?equal)_?",
    re.IGNORECASE,
)
"""Assertions that look at their arguments alone."""
_CATCHES = frozenset({"AssertionError", "Exception", "BaseException"})
_ENDS = frozenset({"skip", "exit", "skipTest", "_exit", "xfail"})
_A_NAME = re.compile(r"(?<!func=)Name\(id='\w*'")
_LONGEST = 2_000


def asserted_in_python(content: bytes, *, generous: bool) -> tuple[Mapping[str, Asserted], frozenset[str]] | None:
    """Return what each function asserts and which of them are tests; None where the file cannot be read.

    `generous` counts what may stand for more assertions at the most that it may stand for, else at the least.
    """
    try:
        tree = parse_python(content.decode("utf-8-sig"))
        if tree is None:
            return None
        functions = {one.key: one for one in _functions(tree)}
        # A base class of the same file may have the method.
        methods = {one.node.name: one.key for one in functions.values() if one.place and not one.is_test}
        found = {one.key: _Reading(one, functions, methods, generous).read() for one in functions.values()}
    except (UnicodeDecodeError, RecursionError):
        return None
    return found, frozenset(one.key for one in functions.values() if one.is_test)


@dataclass(frozen=True, slots=True)
class _Place:
    """A function and where it is."""

    key: str
    place: str
    """The key of the class or function around it; empty for a module's own."""
    node: _Function
    is_test: bool
    marks: tuple[ast.expr, ...]
    """Its decorators and those of the classes around it."""


def _functions(tree: ast.Module) -> Iterator[_Place]:
    waiting: list[tuple[str, bool, tuple[ast.expr, ...], ast.AST]]
    waiting = [("", True, (), node) for node in reversed(tree.body)]
    while waiting:
        place, collected, marks, node = waiting.pop()
        inner, inner_marks = place, marks
        if isinstance(node, _Function | ast.ClassDef):
            inner = f"{place}::{node.name}" if place else node.name
            inner_marks = (*marks, *node.decorator_list)
        if isinstance(node, _Function):
            yield _Place(inner, place, node, collected and node.name.startswith("test"), inner_marks)
            collected, inner_marks = False, ()
        inside = [
            one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.excepthandler | ast.match_case)
        ]
        waiting += [(inner, collected, inner_marks, one) for one in reversed(inside)]


class _Reading:
    """Reads one function."""

    def __init__(
        self, place: _Place, functions: Mapping[str, _Place], methods: Mapping[str, str], generous: bool
    ) -> None:
        self._place = place
        given = place.node.args
        self._parameters = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        self._functions = functions
        self._methods = methods
        self._generous = generous
        self._made = Asserted()

    def read(self) -> Asserted:
        times = 1
        if self._place.is_test:
            for mark in self._place.marks:
                times *= self._cases(mark)
        if self._generous and self._place.is_test:
            # A fixture may assert for the test that asks for it; what it checks of its own is no loss if it moves.
            self._made.calls += [(name, times) for name in self._parameters if name in self._functions]
        self._block(self._place.node.body, min(times, MANY * MANY))
        return self._made

    def _cases(self, mark: ast.expr) -> int:
        match mark:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[_, values, *_]):
                return self._length(values)
            case ast.Call(func=ast.Attribute(attr="expand") | ast.Name(id="parameterized"), args=[values, *_]):
                return self._length(values)
        return 1

    def _length(self, values: ast.expr) -> int:
        """Return how often something is done for the values."""
        if isinstance(values, _Display) and not any(isinstance(one, ast.Starred) for one in values.elts):
            return len(values.elts)
        if isinstance(values, ast.Call) and _name(values.func) == "range" and len(values.args) == 1:
            match values.args[0]:
                case ast.Constant(value=int(count)):
                    return max(0, min(count, MANY))
        return MANY if self._generous else 1

    def _block(self, block: Iterable[ast.stmt], times: int) -> bool:
        """Read statements up to one that ends them; return True if what follows the block is not reached either."""
        for node in block:
            if self._statement(node, times):
                return True
            if isinstance(node, ast.Raise | ast.Continue | ast.Break):
                break
        return False

    def _statement(self, node: ast.stmt, times: int) -> bool:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return False
            case ast.If():
                return self._branches(node, times)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, times)
                return False
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._expression(item.context_expr, times)
                return self._block(node.body, 0 if any(_suppresses(one.context_expr) for one in node.items) else times)
            case ast.Try() | ast.TryStar():
                return self._attempt(node, times)
            case ast.Match():
                self._expression(node.subject, times)
                for case in node.cases:
                    self._block(case.body, times)
                return False
        self._simple(node, times)
        return isinstance(node, ast.Return) or (isinstance(node, ast.Expr) and _is_end(node.value))

    def _branches(self, node: ast.If, times: int) -> bool:
        self._expression(node.test, times)
        truth = _truth(node.test)
        ends = self._block(node.body, times if truth is not False else 0)
        ends_else = self._block(node.orelse, times if truth is not True else 0)
        return ends if truth is True else ends_else if truth is False else ends and ends_else

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, times: int) -> None:
        if isinstance(node, ast.While):
            self._expression(node.test, times)
            often = 0 if _truth(node.test) is False else 1
        else:
            self._expression(node.iter, times)
            often = self._length(node.iter)
        self._block(node.body, times * often)
        self._block(node.orelse, times)

    def _attempt(self, node: ast.Try | ast.TryStar, times: int) -> bool:
        swallows = any(map(_swallows, node.handlers)) or any(isinstance(one, ast.Return) for one in node.finalbody)
        ends = self._block(node.body, 0 if swallows else times)
        for one in node.handlers:
            self._block(one.body, times)
        ends = ends or self._block(node.orelse, times)
        return self._block(node.finalbody, times) or (ends and not node.handlers)

    def _simple(self, node: ast.stmt, times: int) -> None:
        match node:
            case ast.Assert(test=test) if _truth(test) is not True:
                self._found(node, self._weight(test) * times)
            case ast.Raise(exc=ast.expr() as raised) if _name(raised) == "AssertionError":
                self._found(node, times)
        self._expression(node, times)

    def _expression(self, node: ast.AST, times: int) -> None:
        for one in ast.walk(node):
            if isinstance(one, ast.Call) and self._is_assertion(one):
                self._found(one, self._weight_of_call(one) * times)
            if called := self._called(one):
                self._made.calls.append((called, times))
            elif isinstance(one, ast.Call) and times and not _is_known(one):
                self._made.foreign.add(_foreign(one.func))

    def _called(self, node: ast.AST) -> str:
        """Return the key of the function of this file that a name stands for; empty for others."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name not in self._parameters:
                inner = f"{self._place.key}::{name}"
                return inner if inner in self._functions else name if name in self._functions else ""
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                return self._method(name)
        return ""

    def _method(self, name: str) -> str:
        own = f"{self._place.place}::{name}"
        if own in self._functions:
            return own
        return self._methods.get(name, "")

    def _is_assertion(self, call: ast.Call) -> bool:
        if self._called(call.func):
            return False
        match call.func:
            case ast.Name(id=name):
                found = name in _OF_PYTEST or name in {"expect", "verify"} or _ASSERTS.fullmatch(name) is not None
            case ast.Attribute(value=ast.Name(id="pytest" | "self" | "cls"), attr=name) if name in _OF_PYTEST:
                return True
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner.endswith("_regression"):
                return name == "check"
            case ast.Attribute(attr=name):
                found = _ASSERTS.fullmatch(name) is not None
            case _:
                return False
        return found and not (_COMPARES.fullmatch(name) and _is_trivial(name, call.args))

    def _weight_of_call(self, call: ast.Call) -> int:
        name = _name(call.func)
        if self._generous and (name in {"assert_match", "check", "verify"} or "snapshot" in name.casefold()):
            return MANY
        match call.args:
            case [one] | [one, ast.Constant()] if name in {"assertTrue", "assert_"}:
                return self._weight(one)
            case [left, right, *_] if _COMPARES.fullmatch(name):
                return self._compared(left, right)
        return 1

    def _weight(self, test: ast.expr) -> int:
        """Return how many assertions a condition stands for."""
        match test:
            case ast.BoolOp(op=ast.And(), values=values):
                return sum(self._weight(one) for one in values if _truth(one) is not True)
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                return self._compared(left, right)
            case ast.Compare(ops=ops) if self._generous:
                return len(ops)
            case ast.Call(func=ast.Name(id="all"), args=[ast.List() | ast.Tuple() | ast.Set() as values]):
                return sum(_truth(one) is not True for one in values.elts)
            case ast.Call(func=ast.Name(id="all")) if self._generous:
                return MANY
        return 1

    def _compared(self, left: ast.expr, right: ast.expr) -> int:
        """Return how many values are compared at once: `(a, b) == (1, 2)` are two."""
        if self._generous and any("snapshot" in _name(one).casefold() for one in (left, right)):
            return MANY
        if self._generous:
            return max(1, _elements(left), _elements(right))
        match left, right:
            case (ast.Tuple(elts=ours), ast.Tuple(elts=theirs)) | (ast.List(elts=ours), ast.List(elts=theirs)):
                return max(1, sum(not _same(*pair) for pair in zip(ours, theirs, strict=False)))
            case ast.Tuple(elts=ours) | ast.List(elts=ours), _:
                return max(1, sum(not isinstance(one, ast.Constant) for one in ours))
        return 1

    def _found(self, node: ast.AST, times: int) -> None:
        if times:
            self._made.found.append((_meaning(node), min(times, MANY * MANY)))
            if isinstance(node, ast.Assert | ast.Raise) or (isinstance(node, ast.Call) and _is_known(node)):
                self._made.decides = self._made.decides or not _asks_existence(node)


def _is_known(call: ast.Call) -> bool:
    """Return True for an assertion of pytest or unittest: what others do is not known by their names."""
    name = _name(call.func)
    return name in _OF_PYTEST or _COMPARES.fullmatch(name) is not None


def _foreign(func: ast.expr) -> str:
    match func:
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return f"self.{name}"
    return _name(func)


def _asks_existence(node: ast.AST) -> bool:
    """Return True for an assertion that only wants something to be there: `assert found is not None`."""
    match node:
        case ast.Assert(test=test):
            return _is_existence(test)
        case ast.Call(args=[one, *_]) if _name(node.func) in {"assertTrue", "assert_"}:
            return _is_existence(one)
        case ast.Call():
            return _name(node.func) in {"assertIsNotNone", "assert_is_not_none"}
    return False


def _is_existence(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]):
            return True
        case ast.Call(func=ast.Name(id="callable" | "hasattr")):
            return True
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_is_existence(one) or _truth(one) is True for one in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_is_existence(one) for one in values)
    return False


def _meaning(node: ast.AST) -> str:
    """Write an assertion down without the names of its variables, but with those of what it calls; empty for what is too long."""
    lines = (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0)
    return _A_NAME.sub("Name(", ast.dump(node)) if lines < 100 and _is_short(node) else ""


def _is_short(node: ast.AST) -> bool:
    return all(number < _LONGEST for number, _ in enumerate(ast.walk(node)))


def _elements(node: ast.expr) -> int:
    match node:
        case ast.Tuple(elts=values) | ast.List(elts=values) | ast.Set(elts=values) | ast.Dict(values=values):
            return len(values)
        case ast.Call(args=arguments, keywords=keywords):
            return len(arguments) + len(keywords)
    return 1


def _is_trivial(name: str, arguments: list[ast.expr]) -> bool:
    """Return True for an assertion that holds whatever the code does."""
    if not arguments:
        return False
    wanted = "false" not in name.casefold()
    if ("true" in name.casefold() or not wanted) and _truth(arguments[0]) is wanted:
        return True
    if "none" in name.casefold():
        return isinstance(arguments[0], ast.Constant)
    return len(arguments) > 1 and _same(*arguments[:2])


def _same(left: ast.expr, right: ast.expr) -> bool:
    """Return True for two constants, and for a value that is compared with itself."""
    if _is_constant(left) and _is_constant(right):
        return True
    if any(isinstance(one, ast.Call | ast.Await) for one in ast.walk(left)):
        return False
    return type(left) is type(right) and ast.dump(left) == ast.dump(right)


def _is_constant(node: ast.expr) -> bool:
    allowed = (
        ast.Constant | _Display | ast.Dict | ast.expr_context | ast.UnaryOp | ast.unaryop | ast.BinOp | ast.operator
    )
    return all(isinstance(one, allowed) for one in ast.walk(node))


def _truth(node: ast.expr) -> bool | None:
    """Return the truth of a condition that is known without the code; None for others."""
    match node:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=values) | ast.List(elts=values) | ast.Set(elts=values) | ast.Dict(values=values):
            return bool(values)
        case ast.Lambda():
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            truth = _truth(operand)
            return None if truth is None else not truth
        case ast.BoolOp(op=op, values=values):
            truths = [_truth(one) for one in values]
            decides = isinstance(op, ast.Or)
            if decides in truths:
                return decides
            return None if None in truths else not decides
        case ast.IfExp(body=body, orelse=orelse):
            truth = _truth(body)
            return truth if truth is not None and truth == _truth(orelse) else None
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            always = isinstance(op, ast.Eq | ast.Is | ast.LtE | ast.GtE) or (_is_constant(left) and _is_constant(right))
            return True if always and _same(left, right) else None
    return None


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Return True if a handler lets a failed assertion pass."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if handler.type is not None and not any(one is not None and _name(one) in _CATCHES for one in kinds):
        return False
    for one in ast.walk(handler):
        if isinstance(one, ast.Raise) or (isinstance(one, ast.Assert) and _truth(one.test) is not True):
            return False
        if isinstance(one, ast.Call) and (_ASSERTS.match(_name(one.func)) or _name(one.func) == "fail"):
            return False
    return True


def _suppresses(manager: ast.expr) -> bool:
    """Return True for `suppress(Exception)` and `pytest.raises(AssertionError)`."""
    match manager:
        case ast.Call(func=func, args=kinds) if _name(func) in {"suppress", "raises", "assertRaises"}:
            return any(_name(inner) in _CATCHES for one in kinds for inner in ast.walk(one))
    return False


def _is_end(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="pytest" | "self" | "sys" | "os"), attr=name)):
            return name in _ENDS
        case ast.Call(func=ast.Name(id="skip" | "exit" | "quit")):
            return True
    return False


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return _name(func)
    return ""
