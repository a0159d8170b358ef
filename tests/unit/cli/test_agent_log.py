import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.cli.agent_log import Entry, Kind, LogReader


def read(event: Any) -> list[Entry]:
    return list(LogReader().feed(json.dumps(event).encode() + b"\n"))


def read_all(*events: dict[str, Any]) -> list[Entry]:
    reader = LogReader()
    return [*reader.feed(b"".join(json.dumps(event).encode() + b"\n" for event in events)), *reader.finish()]


def started(number: int, **fields: Any) -> dict[str, Any]:
    return {"type": "item.started", "item": {"id": f"item_{number}", "status": "in_progress", **fields}}


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"id": "item_0", **fields}}


def test_what_the_agent_says_is_shown() -> None:
    assert read(item(type="agent_message", text="I read plan.md.")) == [Entry(Kind.SAYS, "I read plan.md.")]


def test_a_command_is_shown_with_its_output_and_a_failed_one_with_its_exit_code() -> None:
    fine = item(type="command_execution", command="ls", aggregated_output="a\nb\n", exit_code=0, status="completed")
    assert read(fine) == [Entry(Kind.RAN, "ls", "a\nb")]
    bad = item(type="command_execution", command="make\n test", aggregated_output="", exit_code=2, status="failed")
    assert read(bad) == [Entry(Kind.RAN, "make test  (exit 2)", good=False)]
    declined = item(type="command_execution", command="rm", aggregated_output="", exit_code=None, status="declined")
    assert read(declined) == [Entry(Kind.RAN, "rm  (declined)", good=False)]


def test_long_output_shows_its_end_and_says_how_much_there_was() -> None:
    output = "\n".join(str(number) for number in range(100))
    (entry,) = read(item(type="command_execution", command="seq", aggregated_output=output, exit_code=0))
    assert entry.detail.splitlines()[0] == "... 88 lines before"
    assert entry.detail.splitlines()[-1] == "99"


def test_each_changed_file_is_shown_with_the_kind_of_its_change() -> None:
    changes = [{"path": "/w/a", "kind": "add"}, {"path": "/w/b", "kind": "update"}, {"path": "/w/c", "kind": "delete"}]
    shown = [entry.text for entry in read(item(type="file_change", changes=changes, status="completed"))]
    assert shown == ["+ /w/a", "~ /w/b", "- /w/c"]


def test_a_file_in_the_workspace_is_named_from_the_repositorys_root() -> None:
    path = "/state/workspaces/69c6a96b-c953-4440-9a94-c4b14cd34a83/tree/docs/a.md"
    assert read(item(type="file_change", changes=[{"path": path, "kind": "add"}]))[0].text == "+ docs/a.md"


def test_plans_searches_and_tool_calls_are_shown() -> None:
    plan = item(type="todo_list", items=[{"text": "one", "completed": True}, {"text": "two", "completed": False}])
    assert [entry.text for entry in read(plan)] == ["[x] one", "[ ] two"]
    assert read(item(type="web_search", query="rockets")) == [Entry(Kind.LOOKED_UP, "rockets")]
    assert read(item(type="mcp_tool_call", server="docs", tool="find")) == [Entry(Kind.RAN, "docs.find")]


def test_the_end_of_a_turn_says_what_it_cost() -> None:
    usage = {"input_tokens": 9120, "output_tokens": 1040}
    assert read({"type": "turn.completed", "usage": usage}) == [
        Entry(Kind.ENDED, "the turn is complete: 9,120 tokens in, 1,040 out")
    ]
    assert read({"type": "turn.completed"}) == [Entry(Kind.ENDED, "the turn is complete")]


def test_a_failed_turn_is_bad_and_a_retry_notice_is_not() -> None:
    failed = {"type": "turn.failed", "error": {"message": "no quota"}}
    assert read(failed) == [Entry(Kind.FAILED, "no quota", good=False)]
    assert read({"type": "error", "message": "Reconnecting... 1/5"}) == [Entry(Kind.NOTE, "Reconnecting... 1/5")]


def test_lines_past_the_format_are_shown_as_they_are() -> None:
    assert list(LogReader().feed(b"warning: \x1b[31mred\n")) == [Entry(Kind.NOTE, "warning: red")]
    assert read({"type": "output", "text": "stray"}) == [Entry(Kind.NOTE, "stray")]


@pytest.mark.parametrize("event", [{"type": "thread.started"}, {"type": "new.kind"}, [], 7, None, item(type="new")])
def test_what_tells_nothing_is_left_out(event: Any) -> None:
    assert read(event) == []


@pytest.mark.parametrize(
    ("begun", "shown"),
    [
        ({"type": "command_execution", "command": "make\n test", "exit_code": None}, "make test  (not finished)"),
        ({"type": "command_execution", "command": "x\x1b[2J", "aggregated_output": "a\n"}, "x  (not finished)"),
        ({"type": "mcp_tool_call", "server": "docs", "tool": "find"}, "docs.find  (not finished)"),
    ],
)
@pytest.mark.parametrize("last", [[], [{"type": "turn.failed", "error": {"message": "stopped"}}]])
def test_what_began_and_never_ended_is_shown_where_its_turn_ends(
    begun: dict[str, Any], shown: str, last: list[dict[str, Any]]
) -> None:
    entries = read_all(started(0, **begun), *last)
    assert [entry.text for entry in entries] == [shown, *(["stopped"] if last else [])]
    assert entries[0].kind is Kind.RAN
    assert not entries[0].good


def test_what_ended_is_shown_once_and_what_only_began_to_be_said_is_not() -> None:
    events = [
        started(0, type="command_execution", command="ls"),
        started(1, type="command_execution", command="pytest"),
        started(2, type="todo_list", items=[{"text": "one", "completed": False}]),
        item(type="command_execution", command="ls", exit_code=0),
        {"type": "item.updated", "item": {"id": "item_1", "type": "command_execution", "command": "pytest -q"}},
    ]
    assert [entry.text for entry in read_all(*events)] == ["ls", "pytest -q  (not finished)"]


def test_the_agent_cannot_steer_the_terminal() -> None:
    (entry,) = read(item(type="command_execution", command="x\x1b[2J", aggregated_output="\x1b]0;t\x07y", exit_code=0))
    assert (entry.text, entry.detail) == ("x", "y")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["item.started", "item.completed", "turn.completed", "turn.failed", "error", "output"]
            )
        },
        optional={
            "item": st.fixed_dictionaries(
                {"type": st.sampled_from(["command_execution", "file_change", "todo_list", "agent_message", "error"])},
                optional=dict.fromkeys(
                    ["text", "command", "changes", "items", "exit_code", "status", "message"], _values
                ),
            ),
            "usage": _values,
            "error": _values,
            "message": _values,
        },
    )
)
def test_no_event_is_strange_enough_to_break_the_reader(event: Any) -> None:
    for entry in read_all(event):
        assert "\x1b" not in entry.text + entry.detail


@given(st.integers(1, 60))
def test_it_does_not_matter_where_the_pieces_break(size: int) -> None:
    lines = [item(type="agent_message", text=f"word {number} é") for number in range(4)]
    log = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    reader = LogReader()
    seen = [entry for start in range(0, len(log), size) for entry in reader.feed(log[start : start + size])]
    seen += reader.finish()
    assert [entry.text for entry in seen] == [f"word {number} é" for number in range(4)]
