"""Parses Python that may be hostile: what would cost the parser its stack, its memory or minutes is not parsed."""

import ast
import re
import warnings

LARGEST = 512 * 1024
"""Characters that are parsed."""

_MOST_BRACES = 20_000
_MOST_BRACKETS = 200
"""As many as Python itself takes."""

_LONG_NAME = re.compile(r"(?:\.[\s\\]*\w+[\s\\]*){200}")
"""`import a.a.a...` costs memory by the square of its length."""
_FORMATTED = re.compile(r"\b(?:f|rf|fr|t|rt|tr)[\"']", re.IGNORECASE)
"""A string with very many expressions in it costs time by the square of their number."""
_BRACKETS = re.compile(r"[(\[{]+|[)\]}]+")


def parse_python(text: str, largest: int = LARGEST) -> ast.Module | None:
    """Return the syntax tree of a text, or None where it is no Python of this version, or too deep, or has more than `largest` characters."""
    if len(text) > largest or _is_pathological(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_pathological(text: str) -> bool:
    """Return True for what the parser should not be asked; brackets in strings and comments count like others."""
    if text.count("{") > _MOST_BRACES and _FORMATTED.search(text):
        return True
    depth = 0
    for found in _BRACKETS.finditer(text):
        run = len(found[0])
        depth = depth + run if found[0][0] in "([{" else max(depth - run, 0)
        if depth > 5 * _MOST_BRACKETS:  # text with smileys and lists may have some that do not match
            return True
    return _LONG_NAME.search(text) is not None
