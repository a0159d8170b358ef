"""Read YAML that anybody may have written: plain data with the line of each part, or a refusal that names the line.

PyYAML's safe loader reads it; anchors, tags, merge keys and repeated keys are refused, since what they mean is not what is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST = 64 * 1024
"""Bytes."""
_DEEPEST = 20
_MOST_PARTS = 5_000
_LONGEST_NUMBER = 40
"""Characters of what is read as a number: the time for more grows with the square of them."""
_NAMES_SHOWN = 60

_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset({"null", "bool", "int", "float"})
"""What a word without quotes may stand for, besides a text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the document: its line, what it holds, and the pieces below it by key or position."""

    line: int
    value: Any
    """A text, number, truth value, None, a dict or a tuple of such."""
    below: Mapping[str | int, "Part"]
    keys: Mapping[str, int]
    """The line of each key."""
    written: str = ""
    """A word without quotes as it stands there, which may be another text than its value (3.10)."""

    def at(self, *way: str | int) -> "Part":
        """Return the part at the end of the way, or the last one on it that there is."""
        found = self
        for step in way:
            if step not in found.below:
                break
            found = found.below[step]
        return found


class YamlRefused(ValueError):
    """The text is no YAML that is read here."""

    def __init__(self, line: int | None, text: str, fix: str) -> None:
        super().__init__(text)
        self.line = line
        """None where the whole file is meant."""
        self.text = text
        self.fix = fix


def read_yaml(data: bytes, *, largest: int = LARGEST) -> Part | None:
    """Return the one document; None where the file holds nothing but comments. Raises YamlRefused."""
    if len(data) > largest:
        raise YamlRefused(None, f"the file has more than {largest // 1024} KiB", "Shorten it.")
    text = _decoded(data)
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlRefused(
            line, f"holds the control character U+{ord(text[error.position]):04X}", "Remove it."
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, error) from error
    return None if node is None else _Builder(text).part(node)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlRefused(line, "is not UTF-8", "Save the file as UTF-8.") from error


def _check_events(text: str) -> None:
    """Look at the pieces one after the other, before anything is built of them."""
    depth = parts = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(text, event.start_mark)
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlRefused(line, "begins a second document", "Keep one document, without a second `---`.")
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            sign = "an alias (*)" if isinstance(event, AliasEvent) else "an anchor (&)"
            raise YamlRefused(line, f"uses {sign}", "Write the value out; in quotes, if the sign belongs to it.")
        if getattr(event, "tag", None) is not None:
            raise YamlRefused(line, "uses a tag (!)", "Remove it; put the value in quotes, if the sign belongs to it.")
        parts += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise YamlRefused(line, f"is nested deeper than {_DEEPEST} levels", "Flatten it.")
        if parts > _MOST_PARTS:
            raise YamlRefused(line, f"has more than {_MOST_PARTS} values", "Shorten it.")


class _Builder:
    """Builds plain data of PyYAML's nodes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = yaml.SafeLoader("")

    def part(self, node: Node) -> Part:
        line = _line(self._text, node.start_mark)
        if isinstance(node, MappingNode):
            return self._mapping(node, line)
        if isinstance(node, SequenceNode):
            below: dict[str | int, Part] = {number: self.part(one) for number, one in enumerate(node.value)}
            return Part(line, tuple(one.value for one in below.values()), below, {})
        return Part(line, self._scalar(node, line), {}, {}, node.value)

    def _mapping(self, node: MappingNode, line: int) -> Part:
        below: dict[str | int, Part] = {}
        keys: dict[str, int] = {}
        for name, value in node.value:
            key_line = _line(self._text, name.start_mark)
            if not isinstance(name, ScalarNode) or name.tag not in {f"{_TAG}str", f"{_TAG}null", f"{_TAG}bool"}:
                raise YamlRefused(
                    key_line, "has a key that is no plain word", "Use a word as the key, in quotes if needed."
                )
            key = name.value
            if key in keys:
                raise YamlRefused(
                    key_line, f"`{shown(key)}` is there already, on line {keys[key]}", "Remove one of the two."
                )
            keys[key] = key_line
            below[key] = self.part(value)
        return Part(line, {key: below[key].value for key in keys}, below, keys)

    def _scalar(self, node: Node, line: int) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return node.value
        if kind in _PLAIN and len(node.value) <= _LONGEST_NUMBER:
            try:
                return self._plain.construct_object(node)
            except (ValueError, ConstructorError):  # `0b`, `._`: numbers by their look only
                pass
        raise YamlRefused(
            line,
            f"`{shown(node.value)}` without quotes is no text in YAML",
            f'Put it in quotes: "{shown(node.value)}".',
        )


def _syntax(text: str, error: yaml.MarkedYAMLError) -> YamlRefused:
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else _line(text, mark)
    return YamlRefused(
        line, f"is not YAML: {shown(error.problem or 'cannot be read', 200)}", "Correct the indentation or the quotes."
    )


def shown(text: str, most: int = _NAMES_SHOWN) -> str:
    """Return a text as a message can hold it: on one line, not longer than `most`."""
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _line(text: str, mark: Any) -> int:
    """Return the line of a mark of PyYAML's, which all that is read from a text has."""
    # YAML's own lines end at other characters, too (U+0085, U+2028), which editors do not count.
    return text.count("\n", 0, mark.index) + 1
