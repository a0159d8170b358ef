from typing import Any

import pytest

from moonmind.runs.facts import model_calls, tokens_of


@pytest.mark.parametrize(
    ("usage", "shown", "tokens"),
    [
        (None, (None, None), None),
        ({"inputTokens": 1}, (None, None), {"inputTokens": 1}),
        ({"modelCalls": 3, "modelCallsCapped": True}, (3, True), None),
        ({"inputTokens": 1, "modelCallsCapped": False}, (None, False), {"inputTokens": 1}),
    ],
)
def test_rows_of_every_age_are_shown(usage: Any, shown: Any, tokens: Any) -> None:
    assert model_calls(usage) == shown
    assert tokens_of(usage) == tokens
