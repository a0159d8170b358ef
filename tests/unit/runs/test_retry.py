"""How long and how often."""

from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.retry import DISPATCH_CAP_SECONDS, RetryPolicy, dispatch_interval


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_pause_is_never_above_the_cap_nor_negative(errors: int, chance: float, outage: bool) -> None:
    policy = RetryPolicy()
    pause = policy.pause(errors, chance, outage=outage)
    assert (pause is None) == (errors >= (policy.max_outages if outage else policy.max_errors))
    assert pause is None or 0 <= pause <= policy.cap_seconds


def test_pauses_grow_with_the_errors_and_end() -> None:
    policy = RetryPolicy()
    assert [policy.pause(errors, 1.0) for errors in range(6)] == [5.0, 10.0, 20.0, 40.0, 80.0, None]


@given(st.data())
def test_the_tries_at_a_service_that_is_away_outlast_half_an_hour_however_the_dice_fall(data: st.DataObject) -> None:
    policy = RetryPolicy()
    waited, errors = 0.0, 0
    while (pause := policy.pause(errors, data.draw(st.floats(0, 1, exclude_max=True)), outage=True)) is not None:
        waited, errors = waited + pause, errors + 1
    assert 30 * 60 < waited < 90 * 60


def test_dispatches_thin_out_to_a_quarter_of_an_hour() -> None:
    assert [dispatch_interval(dispatches) for dispatches in (0, 1, 2)] == [10.0, 20.0, 40.0]
    assert dispatch_interval(7) == DISPATCH_CAP_SECONDS
    assert dispatch_interval(10**6) == DISPATCH_CAP_SECONDS
