"""Questions to people, and answers, as they are kept."""

from datetime import UTC, datetime

import pytest

from moonmind.runs.attention import (
    CHOOSE_FEATURE,
    MAX_OPTIONS,
    OPTION_LENGTH,
    TEXT_LENGTH,
    VALUE_LENGTH,
    Answered,
    Attention,
    Option,
)
from moonmind.speckit import answer as reader

AT = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Answered("k", choice="specs/001-a", why="first things first", by="ana", at=AT),
        Answered("k", text="in words", at=AT),
        Answered("k", approved=True, by="ci", at=AT),
        Answered("k", approved=False, why="no"),
    ],
)
def test_what_is_stored_is_read_again(answer: Answered | None) -> None:
    asked = Attention("k", "Which?", (Option("a", "A"), Option("b", "B")), AT, answer)
    assert Attention.read(asked.stored()) == asked


def test_who_reads_specs_and_who_keeps_the_question_call_a_choice_of_feature_the_same() -> None:
    assert reader.CHOOSE_FEATURE == CHOOSE_FEATURE


def test_a_row_without_a_question_asks_nothing() -> None:
    assert Attention.read(None) is None


@pytest.mark.parametrize(
    ("count", "said"), [(MAX_OPTIONS, "Which?"), (MAX_OPTIONS + 1, "Which? (50 of 51 are listed.)")]
)
def test_options_are_bounded_and_the_text_says_so(count: int, said: str) -> None:
    asked = Attention.asking("k", "Which?", [Option(str(number), "") for number in range(count)])
    assert (len(asked.options), asked.text) == (MAX_OPTIONS, said)


def test_texts_are_cut_and_values_never_are() -> None:
    fits = "v" * VALUE_LENGTH
    asked = Attention.asking("k", "q" * 9999, [Option(fits, "o" * 9999), Option(fits + "v", "longer")])
    assert (asked.values, len(asked.options[0].text)) == ((fits,), OPTION_LENGTH)
    assert len(asked.text) == TEXT_LENGTH
    assert asked.text.endswith("… (1 of 2 are listed.)")


def test_a_value_is_offered_once_as_it_came_first() -> None:
    asked = Attention.asking("k", "q", [Option("b", "1"), Option("a", "2"), Option("b", "3")])
    assert asked.options == (Option("b", "1"), Option("a", "2"))
