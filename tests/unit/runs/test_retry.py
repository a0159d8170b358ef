"""How long and how often."""

from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.retry import HINT_CAP_SECONDS, RetryPolicy, hint_interval


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_above_the_cap_nor_negative(errors: int, chance: float) -> None:
    policy = RetryPolicy()
    assert 0 <= policy.delay(errors, chance) <= policy.cap_seconds


def test_delays_grow_with_the_errors() -> None:
    policy = RetryPolicy()
    assert [policy.delay(errors, 1.0) for errors in range(4)] == [5.0, 10.0, 20.0, 40.0]


def test_hints_thin_out_to_a_quarter_of_an_hour() -> None:
    assert [hint_interval(hints) for hints in (0, 1, 2)] == [10.0, 20.0, 40.0]
    assert hint_interval(7) == HINT_CAP_SECONDS
    assert hint_interval(10**6) == HINT_CAP_SECONDS
