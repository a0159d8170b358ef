from typing import Any

import pytest

from moonmind.runs import model_usage


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
    assert model_usage.shown(usage) == shown
    assert model_usage.tokens(usage) == tokens
