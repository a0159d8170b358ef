"""Which functions of a Python module run while it loads: emptied ones would keep every test from loading."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
_MAKES = ("__init__", "__new__", "__post_init__")


@dataclass(slots=True)
class _Names:
    """What the names of a module stand for."""

    classes: set[str] = field(default_factory=set)
    instances: dict[str, str] = field(default_factory=dict)
    """The class of a variable of the module that is made by calling it."""


def runs_on_import(tree: ast.Module, functions: dict[str, ast.AST]) -> frozenset[str]:
    """Return those of the functions, by qualified name, that the module's own statements call, directly or by others.

    Only calls by name are seen: `f()`, `Class()`, `Class.f()`, `instance.f()`, `self.f()` and decorators.
    """
    outside = list(_module_code(tree))
    names = _Names({node.name for node in outside if isinstance(node, ast.ClassDef)})
    for node in outside:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
            made = node.value.func.id
            names.instances |= {to.id: made for to in node.targets if isinstance(to, ast.Name)}
    found: set[str] = set()
    waiting = [name for node in outside for name in _called(node, "", names)]
    while waiting:
        name = waiting.pop()
        if name in found or name not in functions:
            continue
        found.add(name)
        place = name.rpartition(".")[0]
        waiting += [inner for node in ast.walk(functions[name]) for inner in _called(node, place, names)]
    return frozenset(found)


def _module_code(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that are evaluated while the module loads."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                waiting += [*node.decorator_list, node.args]
                if node.returns is not None:
                    waiting.append(node.returns)
            case ast.Lambda():
                waiting.append(node.args)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                waiting += node.orelse
            case _:
                waiting += ast.iter_child_nodes(node)


def _called(node: ast.AST, place: str, names: _Names) -> Iterator[str]:
    """Yield the qualified names that a node may stand for where it calls or decorates; `place` is the class around it."""
    if isinstance(node, ast.Call):
        yield from _qualified(node.func, place, names)
    elif isinstance(node, Function | ast.ClassDef):
        for mark in node.decorator_list:
            yield from _qualified(mark, place, names)


def _qualified(func: ast.expr, place: str, names: _Names) -> Iterator[str]:
    match func:
        case ast.Name(id=name):
            yield name
            yield from (f"{name}.{method}" for method in _MAKES)
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if place:
            yield f"{place}.{name}"
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            yield f"{names.instances.get(owner, owner)}.{name}"
        case ast.Attribute(value=ast.Call(func=ast.Name(id=owner)), attr=name) if owner in names.classes:
            yield f"{owner}.{name}"
