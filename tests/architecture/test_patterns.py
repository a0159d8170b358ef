"""Regular expressions mean the same on every Python that MoonMind runs on.

Python 3.11.2, which Debian 12 has, matches a possessive or atomic group wrongly where something in it is tried in vain
(python/cpython#106052, corrected in 3.11.5). Possessive single characters and sets (`[^x]++`) are right everywhere.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POSSESSIVE = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+|\(\?>")


def possessive_groups(source: str) -> list[str]:
    """Return the pieces of text in a program that hold a possessive or atomic group."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and POSSESSIVE.search(text)]


@pytest.mark.parametrize("folder", ["moonmind", "api_service"])
def test_no_pattern_has_a_possessive_group(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert {str(file): found for file in files if (found := possessive_groups(file.read_text("utf-8")))} == {}


@pytest.mark.parametrize("text", [r"(?:a|b)*+", r"(a)++", r"(?:a|bc)?+x", r"(?:a){2,3}+", r"(?:a){,3}+", r"x(?>a|ab)c"])
def test_a_possessive_group_is_found(text: str) -> None:
    assert possessive_groups(f"import re\nA = re.compile(r'{text}')\n") == [text]
    assert possessive_groups(
        f"import re\nB = '1'\nA = re.compile(rf'{{B}}{text.replace('{', '{{').replace('}', '}}')}')\n"
    )


@pytest.mark.parametrize("text", [r"[^x]++", r"(?:[^x]++|y)*", r"\)*+", r"(a)+", r"[)]*+\d?+", r"\(\?>"])
def test_other_patterns_are_left_alone(text: str) -> None:
    assert possessive_groups(f"A = r'{text}'\n") == []
