"""Read a page of documentation as its reader does: the fenced blocks, in order."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    language: str
    text: str

    @property
    def first(self) -> str:
        """Return its first line, which names it."""
        return self.text.partition("\n")[0]


def blocks_of(page: Path) -> list[Block]:
    """List a page's blocks; a fence that is never closed, or names no language, fails the test."""
    text = page.read_text("utf-8")
    found = [Block(language, body) for language, body in _FENCED.findall(text)]
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert len(fences) == 2 * len(found), f"{page.name} has a fence without a language or an end"
    return found
