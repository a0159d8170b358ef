"""Parses JavaScript and TypeScript, and walks their trees without recursion: a hostile file is nested as deep as it is long."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_GRAMMARS = {
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts"), "typescript"),
    "tsx": "tsx",
}
ENDINGS = frozenset(f".{ending}" for ending in _GRAMMARS)

FUNCTIONS = frozenset(
    {
        *("function_declaration", "function_expression", "arrow_function", "method_definition"),
        *("generator_function", "generator_function_declaration"),
    }
)
"""The types of the nodes that are functions."""

DEEPEST = 500
"""Nodes inside of each other; a file of more is taken for one that cannot be read."""

_WHOLE = frozenset({"string", "template_string", "regex", "jsx_text"})


def parse_script(content: bytes, ending: str) -> "Node | None":
    """Return the root of a file's tree by its ending, `.ts`; None where it is not in the language or no UTF-8."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    root = _parser(_GRAMMARS[ending.removeprefix(".")]).parse(content).root_node
    return None if root.has_error or _is_deep(root) else root


def _is_deep(root: "Node") -> bool:
    """Return True for what nobody writes: to find the node above another one costs time by how deep it is."""
    level, depth = [root], 0
    while level and depth <= DEEPEST:
        level = [child for node in level for child in node.children]
        depth += 1
    return bool(level)


@cache
def _parser(grammar: str) -> "Parser":
    # Loaded where they are needed: most of what the program does needs none of them.
    import tree_sitter
    import tree_sitter_javascript
    import tree_sitter_typescript

    languages = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
    }
    return tree_sitter.Parser(tree_sitter.Language(languages[grammar]()))


def text_of(node: "Node | None") -> str:
    """Return a node's source; empty for None."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def nodes_in(node: "Node", *, closed: frozenset[str] = frozenset()) -> Iterator["Node"]:
    """Yield a node and those in it, in the source's order; not what is in those of the types `closed`."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if one is node or one.type not in closed:
            waiting += reversed(one.children)


def meaning_of(node: "Node") -> str:
    """Return a node's source without layout, comments and semicolons."""
    return " ".join(
        text_of(one)
        for one in nodes_in(node, closed=_WHOLE)
        if (one.type in _WHOLE or not one.children) and one.type not in {"comment", ";"}
    )
