"""Text in rows."""

from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.stored_text import storable


@given(st.text(st.characters(codec=None), max_size=50))
def test_what_is_stored_is_what_json_columns_take(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    kept.encode("utf-8")
    assert storable(kept) == kept


@given(st.text(max_size=100))
def test_ordinary_text_is_stored_unchanged(text: str) -> None:
    assert storable(text) == text.replace("\0", "")


def test_text_loses_only_what_postgresql_cannot_store() -> None:
    assert storable("a\x00b") == "ab"
    assert storable("ü\ud800") == "ü\\ud800"
    assert storable("plain ü 🙂\n") == "plain ü 🙂\n"
