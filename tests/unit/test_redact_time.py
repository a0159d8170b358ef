"""The time of redaction, beside that of plain text: ratios, since clocks differ. `benchmarks/redaction.py` has the limit."""

import pytest

from benchmarks.redaction import WORST, ratios

WIDE = 10.0
"""What is quadratic, or repeats thousands of signs at each place, takes 30 to 130 times; what is linear, 3 at most."""


def test_no_text_takes_much_longer_than_plain_text() -> None:
    slow = {name: ratio for name, ratio in ratios(128 * 1024, rounds=2) if ratio > WIDE}
    assert not slow


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_short_texts_are_read_too(size: int) -> None:
    assert len(dict(ratios(size, rounds=1))) == len(WORST)
