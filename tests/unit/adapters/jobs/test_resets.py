from datetime import UTC, datetime, timedelta, timezone

import pytest

from moonmind.adapters.jobs.resets import reset_time, stated_time

HERE = timezone(timedelta(hours=2))
SAID = datetime(2026, 3, 1, 8, 30, 15, tzinfo=HERE)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("You've hit your usage limit. Try again at 8:43 AM.", datetime(2026, 3, 1, 6, 43, tzinfo=UTC)),
        ("or try again at 8:43 PM.", datetime(2026, 3, 1, 18, 43, tzinfo=UTC)),
        ("try again at 12:05 AM", datetime(2026, 3, 1, 22, 5, tzinfo=UTC)),  # midnight has passed: the next one
        ("try again at 12:05 PM", datetime(2026, 3, 1, 10, 5, tzinfo=UTC)),
        ("try again at 8:30 AM", datetime(2026, 3, 2, 6, 30, tzinfo=UTC)),
        ("try again at Mar 4th, 2026 9:00 AM", datetime(2026, 3, 4, 7, 0, tzinfo=UTC)),
        ("try again at April 29th, 2026 11:59 PM", datetime(2026, 4, 29, 21, 59, tzinfo=UTC)),
        ("Try again in 3 days 4 hours 5 minutes.", SAID + timedelta(days=3, hours=4, minutes=5)),
        ("try again in 20 seconds", SAID + timedelta(seconds=20)),
        ('{"error": {"resets_in_seconds": 90}}', SAID + timedelta(seconds=90)),
        ('{"error": {"resets_at": 1773000000}}', datetime.fromtimestamp(1_773_000_000, UTC)),
        ('"resets_at":1773000000000', datetime.fromtimestamp(1_773_000_000, UTC)),
        ("Quota exceeded. Check your plan and billing details.", None),
        ("try again at 25:00 AM", None),
        ("try again at Foo 4th, 2026 9:00 AM", None),
        ("try again at Feb 30th, 2026 9:00 AM", None),
        ("try again later", None),
        ("", None),
    ],
)
def test_a_reset_is_read_as_it_is_said(message: str, expected: datetime | None) -> None:
    assert reset_time(message, SAID) == (expected.astimezone(UTC) if expected else None)


@pytest.mark.parametrize(
    "message",
    [
        '{"error": {"resets_at": 253402300799}}',  # year 9999
        '{"error": {"resets_at": 9999999999999}}',
        '{"error": {"resets_at": 100000000}}',
        '{"error": {"resets_in_seconds": 99999999}}',
        "try again at Dec 31st, 9999 11:59 PM",
        "try again at Jan 1st, 0001 0:59 AM",
        "try again in 999999999999 days",
        "try again in 61 days",
        "try again at Feb 27th, 2026 8:00 AM",
    ],
)
def test_a_reset_that_nobody_can_mean_is_none(message: str) -> None:
    assert reset_time(message, SAID) is None


@pytest.mark.parametrize("stamp", [float("nan"), float("inf"), -float("inf"), 1e300, 10**30, -1, 0, 1795000000000000])
def test_a_stamp_that_is_no_time_is_none(stamp: float) -> None:
    assert stated_time(stamp, SAID) is None


def test_a_stamp_is_in_seconds_or_milliseconds() -> None:
    assert stated_time(1_773_000_000, SAID) == stated_time(1_773_000_000_000, SAID)
