"""Empties the functions of a JavaScript or TypeScript file that a change added or changed."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from moonmind.proof.verification.function_guards import Condition, Emptied, Guarding, Insertion
from moonmind.proof.verification.script_syntax import FUNCTIONS, meaning_of, nodes_in, parse_script, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

_LONGEST_NAME = 200
_CALLED_AT_ONCE = frozenset(
    {
        *("map", "filter", "reduce", "reduceRight", "forEach", "some", "every", "find", "findIndex", "flatMap", "sort"),
        *("from", "fromEntries", "toSorted", "replace", "replaceAll", "call", "apply"),
    }
)
"""Methods that call their argument while they run."""
_MAIN = re.compile(r"require\s*\.\s*main|import\s*\.\s*meta|process\s*\.\s*argv")
_IDLE = re.compile(
    r"(?:return )?(?:undefined|null|void 0)?"
    r"|throw new \w*Error \( [\"'`](?:not (?:yet )?implemented|unimplemented|to-?do|implement)\b[^\n]{0,200}",
    re.IGNORECASE,
)
_CONDITION = Condition(b"[5][0]", b"[5][1]")
_INERT = (
    b"((v%s)%s=>v=new Proxy(function(){},{apply:()=>v,construct:()=>v,get:(_,k)=>k===Symbol.iterator?()=>[].values():"
    b'k==="prototype"?{}:k==="toString"||k==="valueOf"?()=>"":typeof k==="symbol"||'
    b'["then","asymmetricMatch","$$typeof","toJSON","nodeType"].includes(k)?undefined:v}))()'
)
"""An object that can be used in every way and does nothing; with places for types."""
_INERT_NAMES = frozenset({"Proxy", "Symbol"})
_READS = frozenset(
    {("member_expression", "object"), ("call_expression", "function"), ("new_expression", "constructor")}
)
"""Places in which a name is only read, by the type of the node and the field."""


def emptied_script(ending: str, before: bytes | None, after: bytes, inert: bool = False) -> Emptied | None:
    """Return the file with the bodies emptied; None if there are none.

    Lines keep their numbers. Functions inside of others go with the outer one. Left as they are: stubs, what runs
    while the module loads unless the bodies are `inert`, constructors that do something before `super(...)`. Functions that
    may give the names that an inert body uses another meaning are emptied as others are. None too where one of the files
    has an error.
    """
    root, old = parse_script(after, ending), parse_script(before or b"", ending)
    if root is None or old is None:
        return None
    known = Counter((name, meaning_of(node)) for name, node in _functions(old))
    functions = list(_functions(root))
    loading = _runs_on_load(root, dict(functions))
    types = (b"?:any", b":any") if "t" in ending else (b"", b"")
    everywhere = _INERT % types if inert and not _may_bind(_module_code(root)) else b""
    found = Guarding()
    for name, node in functions:
        key = name, meaning_of(node)
        if known[key] > 0:
            known[key] -= 1
            continue
        returned = everywhere if everywhere and not _may_bind(nodes_in(node)) else b""
        if guard := _guard(node, returned):
            if name in loading and not returned:
                found.left.append(name)
            else:
                found.insertions += guard
                found.functions.append(name)
    emptied = found.emptied(after, _CONDITION)
    return emptied if emptied is not None and parse_script(emptied.content, ending) is not None else None


def _may_bind(nodes: Iterable["Node"]) -> bool:
    """Return True if a name that an inert body uses stands where it may be declared or assigned."""
    return any(
        (text_of(node.child_by_field_name("name")) in _INERT_NAMES and node.type != "method_definition")
        if node.type in FUNCTIONS
        else node.type in {"identifier", "type_identifier", "shorthand_property_identifier_pattern"}
        and text_of(node) in _INERT_NAMES
        and not _is_read(node)
        for node in nodes
    )


def _is_read(node: "Node") -> bool:
    above = node.parent
    return above is not None and (
        above.type in {"type_annotation", "type_arguments", "binary_expression"}
        or any(above.type == kind and above.child_by_field_name(field) == node for kind, field in _READS)
    )


def _functions(root: "Node") -> Iterator[tuple[str, "Node"]]:
    """Yield the functions with bodies that are in no other function, each with its qualified name, in order."""
    waiting: list[tuple[str, Node]] = [("", root)]
    while waiting:
        place, node = waiting.pop()
        name = _name(node)
        inside = f"{place}.{name}".strip(".")[:_LONGEST_NAME] if name else place
        if node.type in FUNCTIONS and node.child_by_field_name("body") is not None and not _is_called_at_once(node):
            yield inside or "default", node
            continue
        waiting += [(inside, child) for child in reversed(node.children)]


def _name(node: "Node") -> str:
    """Return what a node adds to the names of what is in it."""
    match node.type:
        case "variable_declarator" | "class_declaration" | "abstract_class_declaration" | "internal_module":
            return text_of(node.child_by_field_name("name"))
        case "function_declaration" | "generator_function_declaration" | "method_definition":
            return text_of(node.child_by_field_name("name"))
        case "pair":
            return text_of(node.child_by_field_name("key"))
        case "field_definition" | "public_field_definition":
            return text_of(node.child_by_field_name("property") or node.child_by_field_name("name"))
        case "assignment_expression":
            return text_of(node.child_by_field_name("left"))
        case "call_expression":
            callee = node.child_by_field_name("function")
            return f"{text_of(callee)[:_LONGEST_NAME]}()" if callee is not None and not callee.children else ""
    return ""


def _is_called_at_once(node: "Node") -> bool:
    """Return True for `(function () { ... })()`, and for what is given to `map` and the like."""
    above = node.parent
    while above is not None and above.type in {"parenthesized_expression", "arguments"}:
        if above.type == "arguments":
            called = above.parent.child_by_field_name("function") if above.parent is not None else None
            last = called.child_by_field_name("property") if called is not None else None
            return text_of(last) in _CALLED_AT_ONCE
        node, above = above, above.parent
    if above is None or above.type not in {"call_expression", "member_expression"}:
        return False
    return above.child_by_field_name("function") == node or above.child_by_field_name("object") == node


def _runs_on_load(root: "Node", functions: Mapping[str, "Node"]) -> frozenset[str]:
    """Return the names of the functions that run while the module loads, called by its statements or each other."""
    outside = list(_module_code(root))
    made = {
        text_of(node.child_by_field_name("name")): text_of(value.child_by_field_name("constructor"))
        for node in outside
        if node.type == "variable_declarator"
        and (value := node.child_by_field_name("value"))
        and value.type == "new_expression"
    }
    waiting = list(_called(outside, "", made))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and name in functions:
            found.add(name)
            waiting += _called(nodes_in(functions[name]), name.rpartition(".")[0], made)
    return frozenset(found)


def _module_code(root: "Node") -> Iterator["Node"]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "if_statement" and _MAIN.search(text_of(node.child_by_field_name("condition"))):
            continue
        yield node
        if node.type not in FUNCTIONS or _is_called_at_once(node):
            waiting += reversed(node.children)


def _called(nodes: Iterable["Node"], place: str, made: Mapping[str, str]) -> Iterator[str]:
    """Yield the qualified names of what the nodes call; `place` is the class around them."""
    for node in nodes:
        match node.type:
            case "call_expression":
                called = node.child_by_field_name("function")
            case "new_expression":
                yield f"{text_of(node.child_by_field_name('constructor'))}.constructor"
                continue
            case "decorator":
                called = node.children[-1] if node.children else None
            case _:
                continue
        words = text_of(called)[:_LONGEST_NAME]
        owner, _, last = words.rpartition(".")
        yield words
        if owner == "this" and place:
            yield f"{place}.{last}"
        elif owner in made:
            yield f"{made[owner]}.{last}"


def _guard(node: "Node", returned: bytes) -> list[Insertion]:
    """Return what empties a function; nothing where it is not to be emptied."""
    body = node.child_by_field_name("body")
    if body is None or _is_idle(body):
        return []
    if body.type != "statement_block":
        begin = b"(" + _CONDITION.holds + b" ? " + (returned or b"void 0") + b" : ("
        return [Insertion(body.start_byte, begin), Insertion(body.end_byte, b"))")]
    statements = _without_comments(body)
    constructs = text_of(node.child_by_field_name("name")) == "constructor"
    if len(statements) > 1 and text_of(statements[-1]).rstrip(" ;") == "return this":
        returned = b"this"  # calls in a row go on, and come to nothing
    if constructs or any(one.type in {"set", "*"} for one in node.children):
        returned = b""
    guard = b"if (" + _CONDITION.holds + b") return" + (b" " + returned if returned else b"") + b";"
    kept = list(takewhile(_is_directive, statements))
    if constructs and _is_derived(node):
        kept = statements[:1]
        if len(statements) < 2 or not _calls_super(kept[0]):
            return []
    if not kept:
        return [Insertion(body.start_byte + 1, guard)]
    # Before its semicolon, if it has one: a comment may follow that is a part of the statement.
    return [Insertion(_without_comments(kept[-1])[-1].end_byte, b";" + guard)]


def _is_directive(statement: "Node") -> bool:
    """Return True for `"use strict"`: it has a meaning only where nothing else stands before it."""
    inside = _without_comments(statement)
    return statement.type == "expression_statement" and len(inside) == 1 and inside[0].type == "string"


def _calls_super(statement: "Node") -> bool:
    """Return True for `super(...)` and nothing else."""
    inside = _without_comments(statement)
    if statement.type != "expression_statement" or len(inside) != 1 or inside[0].type != "call_expression":
        return False
    called = inside[0].child_by_field_name("function")
    return called is not None and called.type == "super"


def _without_comments(node: "Node") -> "list[Node]":
    return [one for one in node.named_children if one.type != "comment"]


def _is_idle(body: "Node") -> bool:
    words = meaning_of(body)
    if body.type == "statement_block":
        words = words.removeprefix("{").removesuffix("}")
    return _IDLE.fullmatch(words.strip()) is not None


def _is_derived(method: "Node") -> bool:
    above = method.parent.parent if method.parent is not None else None
    return above is not None and any(
        one.type == "class_heritage" and "extends" in text_of(one) for one in above.children
    )
