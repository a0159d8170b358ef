"""Reads from a quota message when the quota resets: pure."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = re.compile(r"resets_at\W{1,4}(\d{9,13})")
_SECONDS = re.compile(r"resets_in_seconds\W{1,4}(\d{1,8})")
_CLOCK = re.compile(
    r"try again at (?:(?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4}),? )?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2}) ?(?P<half>[AP]M)",
    re.IGNORECASE,
)
_SPAN = re.compile(r"try again in ((?:(?:about )?\d+ (?:day|hour|minute|second)s?[ ,]*(?:and )?)+)", re.IGNORECASE)
_PART = re.compile(r"(\d+) (day|hour|minute|second)")
_PAST, _FUTURE = timedelta(days=1), timedelta(days=60)
"""What lies further away from now is no reset but a mistake, in the message or in its reading."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def reset_time(message: str, said_at: datetime) -> datetime | None:
    """Find the reset in a message said at `said_at` (aware, in the zone the message speaks of); None: it states none."""
    try:
        return _believed(_reset_time(message, said_at), said_at)
    except (ValueError, OverflowError, OSError):  # a number that is no time
        return None


def stated_time(stamp: float, said_at: datetime) -> datetime | None:
    """Read a reset that the service states as a Unix time, in seconds or milliseconds; None where it cannot be one."""
    try:
        seconds = stamp / 1000 if stamp > 10**11 else stamp
        return _believed(datetime.fromtimestamp(seconds, UTC), said_at)
    except (ValueError, OverflowError, OSError):  # NaN, infinity, a year that no calendar has
        return None


def _believed(moment: datetime | None, said_at: datetime) -> datetime | None:
    return moment if moment is not None and -_PAST <= moment - said_at <= _FUTURE else None


def _reset_time(message: str, said_at: datetime) -> datetime | None:
    if found := _EPOCH.search(message):
        return stated_time(int(found[1]), said_at)
    if found := _SECONDS.search(message):
        return (said_at + timedelta(seconds=int(found[1]))).astimezone(UTC)
    if found := _CLOCK.search(message):
        return _clock_time(found, said_at)
    if found := _SPAN.search(message):
        span = sum(
            (timedelta(**{f"{unit}s": int(count)}) for count, unit in _PART.findall(found[1].lower())), timedelta()
        )
        return (said_at + span).astimezone(UTC)
    return None


def _clock_time(found: re.Match[str], said_at: datetime) -> datetime | None:
    if not 1 <= int(found["hour"]) <= 12:
        return None
    hour = int(found["hour"]) % 12 + (12 if found["half"].upper() == "PM" else 0)
    try:
        moment = said_at.replace(hour=hour, minute=int(found["minute"]), second=0, microsecond=0)
        if found["month"]:
            month = _MONTHS.index(found["month"].lower()) + 1
            return moment.replace(year=int(found["year"]), month=month, day=int(found["day"])).astimezone(UTC)
    except ValueError:  # no such time or month: it is a text of people, after all
        return None
    if moment <= said_at:  # a time without a date is the next one
        moment += timedelta(days=1)
    return moment.astimezone(UTC)
