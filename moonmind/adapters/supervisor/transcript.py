"""Reads what the agent says, line by line: masks it, and keeps the few facts that others ask for.

The agent speaks JSON Lines in the shape of `codex exec --json`; an agent of another kind is started through a small
program that speaks it too, as the scripted one is. Unknown types are kept in the log and otherwise ignored.
"""

import json
from collections.abc import Mapping
from typing import Any

from moonmind.redact import Redactor

_REPORT_LIMIT = 65536
"""Characters of the last message that are kept as a fact; the log has the whole."""
_USAGE = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


class Transcript:
    """One agent's conversation so far."""

    def __init__(self, redactor: Redactor, usage_before: Mapping[str, int]) -> None:
        self._redactor = redactor
        self._usage_before = usage_before
        self.thread_id: str | None = None
        self.completed = False
        self.report = ""
        self.usage: dict[str, int] = {}
        self.failure: dict[str, Any] = {}
        """`message`, and `code` and `resets_at` where the agent states them."""
        self.notice = ""
        """The last message that was no end: a retry, a warning."""

    def take(self, line: bytes, cut: int = 0) -> tuple[bytes, bool]:
        """Return the line as it may be logged, and True if it shows that the agent works rather than waits.

        `cut` bytes of it are missing; then it is left out.
        """
        if cut:
            return f'{{"type": "error", "message": "a line of {len(line) + cut} bytes was left out"}}'.encode(), True
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            event = {"type": "output", "text": line.decode("utf-8", "replace")}
        event = self._clean(event)
        alive = self._note(event)
        return json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"), alive

    def facts(self) -> dict[str, Any]:
        """Return what the events so far say, ready for JSON."""
        return {
            "thread_id": self.thread_id,
            "completed": self.completed,
            "report": self.report,
            "usage": self.usage,
            "failure": self.failure,
            "notice": self.notice,
        }

    def _clean(self, value: Any) -> Any:
        # String by string: a pattern that matched across the line could take quotes and brackets with it.
        match value:
            case str():
                return self._redactor.text(value)
            case dict():
                return {self._redactor.text(key): self._clean(item) for key, item in value.items()}
            case list():
                return [self._clean(item) for item in value]
            case _:
                return value

    def _note(self, event: Mapping[str, Any]) -> bool:
        match event:
            case {"type": "thread.started", "thread_id": str(thread_id)}:
                self.thread_id = thread_id
            case {"type": "item.completed", "item": {"type": "agent_message", "text": str(text)}}:
                self.report = text[:_REPORT_LIMIT]
            case {"type": "turn.completed"}:
                self.completed, self.failure = True, {}
                self._count(event.get("usage"))
            case {"type": "turn.failed"}:
                self.completed, self.failure = False, _failure(event.get("error"))
            case {"type": "error", "message": str(message)}:
                self.notice = message[:_REPORT_LIMIT]
                # "Reconnecting... 1/5", "Reconnecting... waiting for network": repeated without end when the network is gone.
                return not message.startswith("Reconnecting")
        return True

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            counts = {name: usage[name] for name in _USAGE if isinstance(usage.get(name), int)}
            self.usage = {name: max(count - self._usage_before.get(name, 0), 0) for name, count in counts.items()}


def _failure(error: Any) -> dict[str, Any]:
    if not isinstance(error, dict):
        return {"message": "the turn failed without a message"}
    failure: dict[str, Any] = {"message": str(error.get("message", ""))[:_REPORT_LIMIT]}
    if isinstance(error.get("code"), str):
        failure["code"] = error["code"]
    if isinstance(error.get("resets_at"), int | float):
        failure["resets_at"] = error["resets_at"]
    return failure
