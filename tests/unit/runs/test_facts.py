"""Which outputs are facts about the run."""

from moonmind.runs.facts import facts_of


def test_known_outputs_become_columns_and_the_rest_stays_outputs() -> None:
    outputs = {"branchName": "moonmind/x", "codexTaskId": "t-1", "verdicts": [], "usage": {"inputTokens": 1}}
    assert facts_of(outputs) == {"branch": "moonmind/x", "codex_task_id": "t-1", "usage": {"inputTokens": 1}}


def test_absent_and_none_leave_the_column_as_it_is() -> None:
    assert facts_of({"phase": None}) == {}
    assert facts_of(None) == {}
