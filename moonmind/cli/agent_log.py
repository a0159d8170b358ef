"""Turn the agent's JSONL log into entries that a person reads: words, commands, file changes, ends."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from moonmind.cli.terminal_text import clean, one_line

_SHOWN_OUTPUT_LINES = 12
_WORKSPACE = re.compile(r"^(/.*/workspaces/[0-9a-f-]{36}/tree/|/workspace/)")
"""Agents name files absolutely; people know them from the repository's root."""


class Kind(StrEnum):
    """What an entry tells."""

    SAYS = "says"
    THINKS = "thinks"
    RAN = "ran"
    CHANGED = "changed"
    LOOKED_UP = "looked up"
    PLANS = "plans"
    NOTE = "note"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the agent said or did; every text is cleaned for terminals."""

    kind: Kind
    text: str
    detail: str = ""
    """A command's last lines of output; empty for the other kinds."""
    good: bool = True


_WORDS = {
    "agent_message": (Kind.SAYS, "text"),
    "reasoning": (Kind.THINKS, "text"),
    "web_search": (Kind.LOOKED_UP, "query"),
    "error": (Kind.NOTE, "message"),
}
"""Items that are a text: what they are shown as, and under which key the text is."""

_BEGUN = frozenset({"command_execution", "mcp_tool_call"})
"""Items that are shown even where their end is not in the log."""
_UNFINISHED = "not finished"


class LogReader:
    """Cuts a growing log into lines and the lines into entries, wherever the pieces break."""

    def __init__(self) -> None:
        self._rest = b""
        self._open: dict[str, dict[str, Any]] = {}
        """Commands and calls that have begun, by the agent's number for them."""

    def feed(self, piece: bytes) -> Iterator[Entry]:
        """Take in what the log grew by, and give the entries of the lines that are complete now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self._read(line)

    def finish(self) -> Iterator[Entry]:
        """Yield the entries of a last line that has no line feed, then of what has begun and not ended."""
        line, self._rest = self._rest, b""
        yield from self._read(line)
        yield from self.unfinished()

    def unfinished(self) -> Iterator[Entry]:
        """Yield the entries of what has begun and not ended, once."""
        begun, self._open = self._open, {}
        for item in begun.values():
            for entry in _item({**item, "exit_code": None, "status": _UNFINISHED}):
                yield replace(entry, good=False)

    def _read(self, line: bytes) -> Iterator[Entry]:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            yield Entry(Kind.NOTE, clean(text))
            return
        if isinstance(event, dict):
            yield from self._noted(event)
            yield from _entries(event)

    def _noted(self, event: dict[str, Any]) -> Iterator[Entry]:
        """Note what begins and ends; where a turn does, nothing of the turn before can still end."""
        match event:
            case {"type": "item.started" | "item.updated", "item": {"id": str(key), "type": str(kind)} as item}:
                if kind in _BEGUN:
                    self._open[key] = item
            case {"type": "item.completed", "item": {"id": str(key)}}:
                self._open.pop(key, None)
            case {"type": "turn.started" | "turn.completed" | "turn.failed"}:
                yield from self.unfinished()


def _entries(event: dict[str, Any]) -> Iterator[Entry]:
    """Yield the entries of one event; what tells a person nothing yields nothing."""
    match event.get("type"):
        case "item.completed":
            item = event.get("item")
            if isinstance(item, dict):
                yield from _item(item)
        case "turn.completed":
            yield Entry(Kind.ENDED, _tokens(event.get("usage")))
        case "turn.failed":
            error = event.get("error")
            yield Entry(Kind.FAILED, _text(error.get("message") if isinstance(error, dict) else error), good=False)
        case "output":
            yield Entry(Kind.NOTE, _text(event.get("text")))  # what the agent's program wrote past its own format
        case "error":
            yield Entry(Kind.NOTE, _text(event.get("message")))  # a notice; only a failed turn ends the work


def _item(item: dict[str, Any]) -> Iterator[Entry]:
    kind = str(item.get("type"))
    good = str(item.get("status")) not in {"failed", "declined"}
    if kind in _WORDS:
        entry_kind, key = _WORDS[kind]
        yield Entry(entry_kind, _text(item.get(key)))
    elif kind == "command_execution":
        yield _command(item)
    elif kind == "file_change":
        for change in _dicts(item.get("changes")):
            sign = {"add": "+", "delete": "-"}.get(str(change.get("kind")), "~")
            path = _WORKSPACE.sub("", one_line(_text(change.get("path"))))
            yield Entry(Kind.CHANGED, f"{sign} {path}", good=good)
    elif kind == "mcp_tool_call":
        ending = f"  ({_UNFINISHED})" if item.get("status") == _UNFINISHED else ""
        yield Entry(Kind.RAN, one_line(f"{_text(item.get('server'))}.{_text(item.get('tool'))}") + ending, good=good)
    elif kind == "todo_list":
        for step in _dicts(item.get("items")):
            box = "x" if step.get("completed") else " "
            yield Entry(Kind.PLANS, f"[{box}] {one_line(_text(step.get('text')))}")


def _command(item: dict[str, Any]) -> Entry:
    code = item.get("exit_code")
    good = code == 0 or (code is None and item.get("status") == "completed")
    why = f"exit {code}" if code is not None else item.get("status")
    ending = "" if good else f"  ({one_line(_text(why))})"
    command = one_line(_text(item.get("command")))
    return Entry(Kind.RAN, command + ending, _tail(_text(item.get("aggregated_output"))), good)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None else clean(str(value)).strip()


def _tail(output: str) -> str:
    lines = output.splitlines()
    if len(lines) <= _SHOWN_OUTPUT_LINES:
        return "\n".join(lines)
    return "\n".join([f"... {len(lines) - _SHOWN_OUTPUT_LINES} lines before", *lines[-_SHOWN_OUTPUT_LINES:]])


def _tokens(usage: Any) -> str:
    if not isinstance(usage, dict):
        return "the turn is complete"
    given, made = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(given, int) or not isinstance(made, int) or not given + made:
        return "the turn is complete"
    return f"the turn is complete: {given:,} tokens in, {made:,} out"
