"""Durations and points in time, formatted for people."""

from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """Format a duration in seconds with at most two units."""
    if seconds < 0.05:
        return "0.0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def between(start: datetime | None, end: datetime | None) -> str:
    """Format how long something took, or has taken until now; empty if it has not started."""
    if start is None:
        return ""
    return duration(max(0.0, ((end or datetime.now(UTC)) - start).total_seconds()))


def ago(moment: datetime) -> str:
    """Format how long ago a moment was, in its largest unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def clock(moment: datetime) -> str:
    """Format a moment in local time, with its date if that is not today."""
    local = moment.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
