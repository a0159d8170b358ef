"""What the tests of a JavaScript or TypeScript file assert."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from moonmind.proof.verification.asserted import MANY, Asserted
from moonmind.proof.verification.script_syntax import FUNCTIONS, parse_script

if TYPE_CHECKING:
    from tree_sitter import Node

    _Step = tuple[Node, str, str, int]
    """A node, the key of what it belongs to, the titles around it and how often it is run."""

_TESTS = frozenset({"test", "it", "specify", "fit", "xit", "xtest"})
_SUITES = frozenset({"describe", "context", "suite", "fdescribe", "xdescribe"})
_OF_T = frozenset(
    {
        *(
            "is",
            "not",
            "deepEqual",
            "notDeepEqual",
            "ok",
            "notOk",
            "equal",
            "notEqual",
            "strictEqual",
            "same",
            "notSame",
        ),
        *("like", "throws", "throwsAsync", "notThrows", "notThrowsAsync", "true", "false", "truthy", "falsy", "regex"),
        *("notRegex", "match", "doesNotMatch", "snapshot", "fail", "error", "equals", "rejects", "doesNotThrow"),
    }
)
"""The assertions of AVA, tape and tap."""
_ASSERTS = re.compile(r"assert(?:[A-Z_]\w*)?")
_SNAPSHOT = re.compile(r"snapshot", re.IGNORECASE)
_CONSTANTS = frozenset({"number", "string", "true", "false", "null", "undefined", "regex"})
_DISPLAYS = frozenset({"array", "object"})
_FALSE = frozenset({"false", "0", "null", "undefined", "''", '""'})
_ENDS = frozenset({"this.skip", "t.skip", "ctx.skip", "context.skip", "process.exit"})
_EXISTS = re.compile(
    rb"\.\s*(?:toBeDefined|not\s*\.\s*(?:toBeUndefined|toBeNull)|toExist)\s*\(\s*\)\s*;?$"
    rb"|\.\s*not(?:Strict|Deep)?Equal\s*\(.*,\s*(?:undefined|null|void 0)\s*,?\s*\)\s*;?$"
)
"""What only wants something to be there."""
_LONGEST = 2_000
_LONGEST_CHAIN = 30
_STRENGTHS = {
    **dict.fromkeys(
        ("toBe", "toEqual", "toStrictEqual", "equal", "strictEqual", "deepEqual", "deepStrictEqual", "is", "same", "eql", "equals"), 3
    ),
    **dict.fromkeys(
        ("toBeCloseTo", "toContain", "toContainEqual", "toMatch", "toMatchObject", "toHaveLength", "toHaveProperty", "toBeNull",
         "toBeUndefined", "toBeFalsy", "toBeGreaterThan", "toBeLessThan", "toBeGreaterThanOrEqual", "toBeLessThanOrEqual", "match",
         "like"), 2
    ),
    **dict.fromkeys(("toBeDefined", "toBeTruthy", "toBeInstanceOf", "ok", "truthy", "assert"), 1),
}  # fmt: skip
"""How exactly a value is asserted."""
_LONGEST_TITLE = 500


def asserted_in_script(
    content: bytes, ending: str, *, generous: bool
) -> tuple[Mapping[str, Asserted], frozenset[str]] | None:
    """Return what each test and named function asserts and which of them are tests; None where it cannot be read.

    The key of a test is its title path, ` > ` between the titles. `generous` counts what may stand for more
    assertions at the most that it may stand for, else at the least.
    """
    root = parse_script(content, ending)
    if root is None:
        return None
    reading = _Reading(content, generous)
    reading.read(root)
    helpers = reading.made.keys() - reading.tests
    for one in reading.made.values():
        one.foreign |= {name.removeprefix("function ") for name, times in one.calls if times and name not in helpers}
        one.calls[:] = [(name, times) for name, times in one.calls if name in helpers]
    return reading.made, frozenset(reading.tests)


class _Reading:
    def __init__(self, content: bytes, generous: bool) -> None:
        self._content = content
        self._generous = generous
        self.made: dict[str, Asserted] = {}
        self.tests: set[str] = set()

    def read(self, root: "Node") -> None:
        """Read the file from its root on."""
        waiting: list[_Step] = [(root, "", "", 1)]
        while waiting:
            step = waiting.pop()
            inner = self._named(*step)
            if inner is None:
                inner = self._flow(*step)
            if inner is None:
                inner = [(one, *step[1:]) for one in step[0].children]
            waiting += reversed(inner)

    def _named(self, node: "Node", owner: str, titles: str, times: int) -> "list[_Step] | None":
        """Read what has a name or is called; return what is left to read, None where it is neither."""
        match node.type:
            case "comment" | "string" | "type_annotation":
                return []
            case "identifier" | "shorthand_property_identifier":
                self._of(owner).calls.append((f"function {self._text(node)}", times))
                return []
            case "function_declaration" | "generator_function_declaration":
                return self._helper(node.child_by_field_name("name"), node, titles)
            case "variable_declarator" if (value := node.child_by_field_name("value")) and value.type in FUNCTIONS:
                return self._helper(node.child_by_field_name("name"), value, titles)
            case "throw_statement" if self._generous:
                self._found(owner, node, times)
            case "call_expression" | "member_expression":
                return self._chain(node, owner, titles, times)
        return None

    def _flow(self, node: "Node", owner: str, titles: str, times: int) -> "list[_Step] | None":
        """Return what a statement runs and how often; None where it runs each of its parts once."""
        often = times
        parts = node.children
        match node.type:
            case "statement_block" | "program":
                parts = list(self._reached(node))
            case "if_statement" if (truth := self._truth(node.child_by_field_name("condition"))) is not None:
                dead = node.child_by_field_name("alternative" if truth else "consequence")
                parts = [one for one in parts if one != dead]
            case "while_statement" if self._truth(node.child_by_field_name("condition")) is False:
                parts = []
            case "for_in_statement":
                often = times * self._length(node.child_by_field_name("right"))
            case "for_statement":
                often = times * (MANY if self._generous else 1)
            case "try_statement" if self._swallows(node.child_by_field_name("handler")):
                body = node.child_by_field_name("body")
                return [(one, owner, titles, 0 if one == body else times) for one in parts]
            case _:
                return None
        return [(one, owner, titles, min(often, MANY * MANY)) for one in parts]

    def _chain(self, node: "Node", owner: str, titles: str, times: int) -> "list[_Step] | None":
        """Read calls in a row, `expect(a).not.toBe(b)`; return what is left to read, None where they are nothing special."""
        names, calls = self._names(node)
        if not names:
            return None
        first = names[0]
        arguments = [one for call in calls if (one := call.child_by_field_name("arguments")) is not None]
        if node.type == "call_expression" and (first in _TESTS | _SUITES or (first == "t" and names[-1] == "test")):
            return self._test(names, arguments, titles, times)
        if names[-1] == "catch" and node.type == "call_expression" and arguments and self._is_idle(arguments[-1]):
            return [(one, owner, titles, 0) for one in node.children]
        rest = [(one, owner, titles, times) for one in arguments]
        weight = self._assertion(names, calls)
        if weight is not None:
            self._found(owner, node, times * weight)
            if weight and times:
                self._of(owner).forms += self._form(names, calls)
            return rest
        if names[-1] == "forEach" and node.type == "call_expression":
            called = node.child_by_field_name("function")
            values = called.child_by_field_name("object") if called is not None else None
            often = min(times * self._length(values), MANY * MANY)
            return [(one, owner, titles, often) for one in node.children]
        return None

    def _test(self, names: list[str], arguments: list["Node"], titles: str, times: int) -> "list[_Step] | None":
        if not arguments:
            return None
        given = arguments[-1].named_children
        title = self._text(given[0]).strip("'\"`")[:_LONGEST_TITLE] if given else ""
        path = f"{titles} > {title}" if titles else title
        if "each" in names or "for" in names:
            values = arguments[0].named_children if len(arguments) > 1 else []
            times *= self._length(values[0] if values else None)
        often = min(times, MANY * MANY)
        if names[0] in _SUITES or names[-1] == "describe":
            return [(one, "", path, often) for one in given[1:]]
        self.tests.add(path)
        self._of(path)
        return [(one, path, path, often) for one in given[1:]]

    def _helper(self, name: "Node | None", node: "Node", titles: str) -> "list[_Step]":
        key = f"function {self._text(name)}"
        self._of(key)
        body = node.child_by_field_name("body")
        return [(body, key, titles, 1)] if body is not None else []

    def _names(self, node: "Node") -> tuple[list[str], list["Node"]]:
        """Return the names of a chain of members and calls from its root on, and its calls; empty for other nodes."""
        names: list[str] = []
        calls: list[Node] = []
        one: Node | None = node
        for _ in range(_LONGEST_CHAIN):
            if one is None:
                break
            match one.type:
                case "call_expression":
                    calls.append(one)
                    one = one.child_by_field_name("function")
                case "member_expression":
                    names.append(self._text(one.child_by_field_name("property")))
                    one = one.child_by_field_name("object")
                case "await_expression" | "non_null_expression" | "parenthesized_expression" if one.named_children:
                    one = one.named_children[0]
                case "identifier" | "this":
                    names.append(self._text(one))
                    return names[::-1], calls[::-1]
                case _:
                    # What it begins with has no name: `[1].forEach(...)`.
                    names.append("")
                    return names[::-1], calls[::-1]
        return [], []

    def _assertion(self, names: list[str], calls: list["Node"]) -> int | None:
        """Return how many assertions a chain stands for; None where it is no assertion."""
        first, last = names[0], names[-1]
        given = [values.named_children for one in calls if (values := one.child_by_field_name("arguments"))]
        if not given:
            return None
        if first == "expect" or names[:2] == ["t", "expect"]:
            return self._expected(names, calls[0], given)
        of_t = first == "t" and len(names) > 1 and (last in _OF_T or names[1] == "assert")
        if of_t or _ASSERTS.fullmatch(first) or "assert" in names[1:-1]:
            return 0 if self._is_trivial(given[-1]) else self._weight(names, given)
        return 1 if "should" in names[1:] or (last == "expect" and len(names) > 1) else None

    def _expected(self, names: list[str], call: "Node", given: list[list["Node"]]) -> int:
        if names[1:] in (["fail"], ["unreachable"]):
            return 1
        called = call.child_by_field_name("function")
        by_root = called is not None and (called.type == "identifier" or names[0] == "t")
        if len(names) < 2 or not (by_root or names[1] in {"soft", "poll", "element"}):
            return 0  # `expect(a)` alone, `expect.any(...)`, `expect.assertions(1)`
        values = [*given[0][:1], *(given[-1] if len(given) > 1 else [])]
        return 0 if self._is_trivial(values) else self._weight(names, given)

    def _form(self, names: list[str], calls: list["Node"]) -> list[tuple[str, int]]:
        """Return the value that something is asserted of, and how exactly."""
        matcher = names[-1]
        strength = 1 if "not" in names or matcher.startswith(("not", "doesNot")) else _STRENGTHS.get(matcher, 0)
        given = calls[0].child_by_field_name("arguments")
        if not strength or given is None or not given.named_children:
            return []
        return [(" ".join(self._text(given.named_children[0]).split()), strength)]

    def _weight(self, names: list[str], given: list[list["Node"]]) -> int:
        if self._generous and any(_SNAPSHOT.search(name) for name in names):
            return MANY
        values = [one for some in given for one in some]
        if self._generous:
            return max([1, *(len(one.named_children) for one in values if one.type in _DISPLAYS)])
        actual = given[0][0] if given and given[0] else None
        if actual is None or actual.type not in _DISPLAYS:
            return 1
        return max(1, sum(not self._is_constant(one) for one in actual.named_children))

    def _is_trivial(self, values: list["Node"]) -> bool:
        """Return True for an assertion that holds whatever the code does."""
        if not values:
            return False
        if all(self._is_constant(one) for one in values[:2]):
            return True
        if self._truth(values[0]) is True and (len(values) < 2 or self._is_constant(values[1])):
            return True
        if len(values) < 2:
            return False
        left, right = values[:2]
        return (
            left.type in {"identifier", "member_expression"}
            and left.end_byte - left.start_byte < _LONGEST
            and left.text == right.text
            and b"(" not in (left.text or b"(")
        )

    def _is_constant(self, node: "Node") -> bool:
        if node.type in _DISPLAYS:
            return all(one.type in _CONSTANTS for one in node.named_children)
        return node.type in _CONSTANTS

    def _truth(self, node: "Node | None") -> bool | None:
        """Return the truth of a condition that is known without the code; None for others."""
        while node is not None and node.type == "parenthesized_expression" and node.named_children:
            node = node.named_children[0]
        if node is None:
            return None
        if node.type in _CONSTANTS:
            return self._text(node) not in _FALSE
        if node.type == "binary_expression":
            sign = node.child_by_field_name("operator")
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if sign is None or left is None or right is None:
                return None
            if sign.type == "||" and right.type in _CONSTANTS and self._text(right) not in _FALSE:
                return True
            if sign.type == "||" and left.type in _CONSTANTS and self._text(left) not in _FALSE:
                return True
            if sign.type in {"===", "=="} and self._is_trivial([left, right]):
                return True
        return None

    def _length(self, values: "Node | None") -> int:
        """Return how often something is done for the values."""
        inside = values.named_children if values is not None and values.type == "array" else None
        if inside is not None and not any(one.type == "spread_element" for one in inside):
            return sum(one.type != "comment" for one in inside)
        return MANY if self._generous else 1

    def _swallows(self, handler: "Node | None") -> bool:
        """Return True if a `catch` lets a failed assertion pass."""
        if handler is None:
            return False
        words = self._content[handler.start_byte : handler.end_byte]
        return not re.search(rb"\b(?:throw|expect|assert\w*|fail|reject|done|t\.\w+)\b", words[:_LONGEST])

    def _is_idle(self, arguments: "Node") -> bool:
        """Return True for arguments that are one function that does nothing."""
        words = self._content[arguments.start_byte : arguments.end_byte][:_LONGEST]
        return (
            re.fullmatch(
                rb"\(\s*(?:async\s*)?(?:\(?\s*\w*\s*\)?\s*=>|function\s*\(\s*\w*\s*\))\s*(?:\{\s*\}|null|undefined)\s*\)",
                words,
            )
            is not None
        )

    def _of(self, owner: str) -> Asserted:
        return self.made.setdefault(owner, Asserted())

    def _found(self, owner: str, node: "Node", times: int) -> None:
        if times:
            words = b" ".join(self._content[node.start_byte : node.end_byte][:_LONGEST].split())
            self._of(owner).found.append((words.decode("utf-8", "replace"), min(times, MANY * MANY)))
            self._of(owner).decides |= _EXISTS.search(words) is None

    def _text(self, node: "Node | None") -> str:
        if node is None:
            return ""
        return self._content[node.start_byte : min(node.end_byte, node.start_byte + _LONGEST)].decode(
            "utf-8", "replace"
        )

    def _reached(self, block: "Node") -> Iterator["Node"]:
        """Yield the statements of a block up to one that ends it, and its functions."""
        ended = False
        for one in block.children:
            if not ended or one.type == "function_declaration":
                yield one
            ended = ended or self._ends(one)

    def _ends(self, node: "Node") -> bool:
        """Return True for a statement after which nothing of its block is reached."""
        if node.type in {"return_statement", "throw_statement"}:
            return True
        if node.type == "if_statement" and self._truth(node.child_by_field_name("condition")) is True:
            inner = node.child_by_field_name("consequence")
            return inner is not None and (
                inner.type == "return_statement" or any(one.type == "return_statement" for one in inner.children)
            )
        if node.type == "expression_statement" and node.named_children:
            called = node.named_children[0].child_by_field_name("function")
            return called is not None and self._text(called) in _ENDS
        return False
