import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.cli.terminal_text import clean, one_line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]52;c;cm0gLXJm\x1b\\text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP+q544e\x1b\\text", "text"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1b(0lqk\x1b(B", "lqk"),
        ("\x1bc reset", " reset"),
        ("unfinished \x1b[", "unfinished "),
        ("unfinished \x1b]0;title", "unfinished "),
        ("bell\x07 back\x08space", "bell backspace"),
        ("over\rwritten", "overwritten"),
        ("rm \u202efdsa\u202c", "rm fdsa"),
        ("half \ud800", "half \ufffd"),
        ("zero\x00", "zero"),
        ("kept\n\tas it is é 日本 🚀", "kept\n\tas it is é 日本 🚀"),
    ],
)
def test_what_could_steer_a_terminal_is_removed_and_the_text_stays(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@given(st.text(alphabet=st.characters(), max_size=200))
def test_whatever_comes_in_nothing_comes_out_that_a_terminal_obeys(text: str) -> None:
    shown = clean(text)
    assert not {character for character in shown if ord(character) < 32 or 127 <= ord(character) < 160} - {"\n", "\t"}
    assert clean(shown) == shown
    shown.encode()


def test_one_line_is_one_line() -> None:
    assert one_line(" a\n\n b\tc \u2028 d\r\n") == "a b c d"


@pytest.mark.parametrize("unit", ["\x90", "\x90a", "\x9d(", "\x1b]", "\x1b[", "\x9b1", "\x1b "])
def test_cleaning_takes_time_in_proportion_to_the_text(unit: str) -> None:
    text = unit * (200_000 // len(unit)) + "\x1bX"
    began = time.thread_time()
    clean(text)
    assert time.thread_time() - began < 2


def test_an_escape_ends_the_text_of_a_sequence_before_it() -> None:
    assert clean("a\x1b]0;title\x1b[31mred\x1b[0m b") == "ared b"
