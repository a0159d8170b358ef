import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.adapters.agents.toml import toml_text, toml_value

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_written_is_what_is_read(body: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(body)) == body


def test_tables_stand_under_their_headers() -> None:
    body = {"a": {"b": {"c": 1}, "d e": "x"}, "plain": True, "empty": {}}
    assert toml_text(body) == 'plain = true\n\n[a]\n"d e" = "x"\n\n[a.b]\nc = 1\n\n[empty]\n'


def test_tables_inside_lists_stay_inline() -> None:
    assert toml_value([{"a": 1}]) == "[{ a = 1 }]"


def test_dates_stay_dates() -> None:
    assert tomllib.loads(toml_text({"day": date(2026, 3, 1)})) == {"day": date(2026, 3, 1)}


def test_what_toml_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_text({"nothing": None})
