import pytest

from moonmind.runs.verdict import Verdict, current_word


@pytest.mark.parametrize(
    ("stored", "verdict"),
    [
        ("proven", Verdict.CHANGED),
        ("attested", Verdict.CLAIMED),
        ("unproven", Verdict.OPEN),
        ("contradicted", Verdict.CONTRADICTED),
        *((verdict.value, verdict) for verdict in Verdict),
    ],
)
def test_the_words_of_earlier_programs_are_read(stored: str, verdict: Verdict) -> None:
    assert current_word(stored) == verdict.value


def test_an_unknown_word_is_shown_as_it_is() -> None:
    assert current_word("demonstrated") == "demonstrated"


def test_what_ticks_a_box() -> None:
    assert {verdict for verdict in Verdict if verdict.ticks} == {
        Verdict.TESTED,
        Verdict.PASSING,
        Verdict.CHANGED,
        Verdict.CLAIMED,
        Verdict.ACCEPTED,
    }
