"""JSON with comments and trailing commas, as devcontainer.json is written."""

import re
from collections.abc import Mapping
from typing import Any

from moonmind.speckit.project_commands import read_json

_PIECES = re.compile(
    r"""
      (?P<text>"(?:[^"\\\n]++|\\.)*"?)
    | //[^\n]*+
    | /\*(?:[^*]++|\*(?!/))*(?:\*/)?
    | ,(?=(?:[ \t\r\n]++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*\*/)*[}\]])
    """,
    re.VERBOSE | re.DOTALL,
)


def read_jsonc(text: str) -> Mapping[str, Any]:
    """Return the object that a text holds; empty where it holds none, or cannot be read."""
    return read_json(_PIECES.sub(lambda found: found["text"] or " ", text.removeprefix("\ufeff")))
