from datetime import UTC, datetime, timedelta

import pytest

from moonmind.cli.durations import ago, between, clock, duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (1.25, "1.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (86399, "23 h 59 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_has_not_begun_has_no_length() -> None:
    assert between(None, None) == ""


def test_what_has_not_ended_lasts_until_now() -> None:
    assert between(datetime.now(UTC) - timedelta(hours=2), None) == "2 h 00 min"


def test_a_clock_that_runs_back_says_zero() -> None:
    now = datetime.now(UTC)
    assert between(now, now - timedelta(seconds=3)) == "0.0 s"


def test_how_long_ago_is_said_in_the_largest_unit() -> None:
    now = datetime.now(UTC)
    assert ago(now) == "just now"
    assert ago(now - timedelta(minutes=5, seconds=59)) == "5 min ago"
    assert ago(now - timedelta(hours=26)) == "1 d ago"


def test_a_moment_of_another_day_is_said_with_its_date() -> None:
    assert len(clock(datetime.now(UTC))) == 8
    assert clock(datetime(2020, 1, 1, 12, 0, tzinfo=UTC)).startswith("2020-01-01")
