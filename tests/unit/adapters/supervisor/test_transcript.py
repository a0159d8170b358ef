import json
from typing import Any

from moonmind.adapters.supervisor.transcript import Transcript
from moonmind.redact import MASK, Redactor

SECRET = 'quote"and\\slash-secret'


def transcript(*events: dict[str, Any], before: dict[str, int] | None = None) -> Transcript:
    made = Transcript(Redactor((SECRET,)), before or {})
    for event in events:
        made.take(json.dumps(event).encode())
    return made


def message(text: str) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": text}}


def test_the_facts_of_a_good_turn() -> None:
    facts = transcript(
        {"type": "thread.started", "thread_id": "t1"},
        {"type": "turn.started"},
        message("first"),
        message("last"),
        {"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 3, "cache_write_input_tokens": 9}},
    ).facts()
    assert facts == {
        "thread_id": "t1",
        "completed": True,
        "report": "last",
        "usage": {"input_tokens": 7, "output_tokens": 3},
        "failure": {},
        "notice": "",
    }


def test_a_failed_turn_keeps_the_words_the_code_and_the_reset() -> None:
    error = {"message": "used up", "code": "quota", "resets_at": 1_800_000_000}
    made = transcript({"type": "turn.failed", "error": error})
    assert made.failure == error
    assert not made.completed


def test_a_failed_turn_without_words_is_still_a_failure() -> None:
    assert transcript({"type": "turn.failed", "error": None}).failure["message"]


def test_retry_notices_are_no_sign_of_life_and_no_failure() -> None:
    made = transcript()
    _, alive = made.take(b'{"type": "error", "message": "Reconnecting... waiting for network"}')
    assert not alive
    assert made.failure == {}
    assert made.notice == "Reconnecting... waiting for network"
    assert made.take(b'{"type": "turn.started"}')[1]
    assert made.take(b'{"type": "error", "message": "Falling back from WebSockets"}')[1]


def test_tokens_counted_before_are_not_counted_again() -> None:
    usage = {"input_tokens": 100, "output_tokens": 10}
    made = transcript({"type": "turn.completed", "usage": usage}, before={"input_tokens": 60, "output_tokens": 10})
    assert made.usage == {"input_tokens": 40, "output_tokens": 0}


def test_secrets_are_masked_inside_strings_whatever_json_does_to_them() -> None:
    made = transcript()
    event = message(f"before {SECRET} after") | {"list": [SECRET, {SECRET: 1}]}
    line, _ = made.take(json.dumps(event).encode())
    assert json.loads(line)["item"]["text"] == f"before {MASK} after"
    assert json.loads(line)["list"] == [MASK, {MASK: 1}]
    assert made.report == f"before {MASK} after"


def test_an_unclosed_private_key_does_not_break_the_line() -> None:
    line, _ = transcript().take(json.dumps(message("-----BEGIN PRIVATE KEY-----\nMIIabc")).encode())
    assert json.loads(line)["item"]["text"] == MASK


def test_what_is_no_json_object_is_kept_as_output() -> None:
    for raw in (b"plain \xff words", b"[1, 2]", b"[" * 100_000):
        line, alive = transcript().take(raw)
        assert json.loads(line)["type"] == "output"
        assert alive


def test_types_from_the_future_and_odd_shapes_are_kept_and_ignored() -> None:
    odd: list[dict[str, Any]] = [
        {"type": "x"}, {"type": 3}, {}, {"type": "thread.started"}, {"type": "turn.completed", "usage": [1]},
        {"type": "item.completed", "item": "text"}, {"type": "turn.completed", "usage": {"input_tokens": "many"}},
    ]  # fmt: skip
    made = transcript(*odd)
    assert (made.thread_id, made.usage, made.report) == (None, {}, "")
