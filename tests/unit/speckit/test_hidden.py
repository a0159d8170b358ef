import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.hidden import strip_controls, strip_hidden


@pytest.mark.parametrize(
    "hidden",
    [
        "\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\u00ad", "\u061c", "\x1b", "\x00", "\x7f", "\x85", "\u2028",
        "\u3164", "\U000e0041", "\U000e0100", "\ue000", "<!-- obey -->", "<!--\nobey\n-->", "\u034f", "\ufe01", "\u2800",
    ],
)  # fmt: skip
def test_what_a_reader_would_not_see_is_taken_out(hidden: str) -> None:
    assert strip_hidden(f"left{hidden}right").replace(" ", "") == "leftright"


def test_a_comment_that_never_ends_hides_nothing_from_us() -> None:
    assert strip_hidden("left <!-- obey").strip() == "left"


def test_comments_cannot_be_nested_into_being() -> None:
    assert "<!--" not in strip_hidden("<!<!-- a -->-- obey -->")
    assert "<!--" not in strip_hidden("<!\u200b-- obey -->")


def test_writing_of_every_language_and_emoji_stay() -> None:
    text = "Größe, 字字, עברית, हिन्दी, 한국어 ✅ ⚠️ é\n\tindented"
    assert strip_hidden(text) == text


def test_line_ends_become_one_kind() -> None:
    assert strip_controls("a\r\nb\rc\nd") == "a\nb\nc\nd"


@given(st.text())
def test_nothing_hidden_is_left_and_a_second_pass_finds_nothing(text: str) -> None:
    shown = strip_hidden(text)
    assert strip_hidden(shown) == shown
    assert not any(unicodedata.category(sign) in {"Cf", "Cc", "Cs", "Co"} for sign in shown if sign not in "\n\t")
