"""The commands `token create`, `token list` and `token revoke`: who may use the API, by name."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moonmind.cli.durations import ago
from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.session import NothingHere, missing_database
from moonmind.cli.terminal_text import one_line
from moonmind.errors import InvalidRequest
from moonmind.os_user import own_name
from moonmind.runtime.token_database import tokens_of
from moonmind.services.tokens import Tokens
from moonmind.settings import DatabaseSettings, load_settings
from moonmind.wire import ApiToken

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STYLES = {"valid": "green", "expired": "yellow", "revoked": "dim"}


def create(name: str, *, read_only: bool, expires: str | None, printer: Printer) -> int:
    """Create a token and print its text, on standard output alone."""
    lasts = None if expires is None else lifetime(expires)
    with _tokens() as tokens:
        made = tokens.create(name, read_only=read_only, expires=lasts, actor=own_name())
    what = "read" if made.read_only else "read and change everything"
    until = "until it is revoked" if made.expires_at is None else f"until {_moment(made.expires_at)}"
    print(
        f"The token {made.name} may {what}, {until}. It is shown only this once; send it as `Authorization: Bearer TOKEN`.",
        file=sys.stderr,
    )
    printer.answer(made, lambda _: print(made.token))
    return Exit.FINE


def show(printer: Printer) -> int:
    """List all tokens that were ever created."""
    with _tokens() as tokens:
        listed = tokens.list()
    document = {"items": [token.model_dump(mode="json", by_alias=True) for token in listed]}
    printer.answer(document, lambda console: _draw(listed, console))
    return Exit.FINE


def revoke(name: str, *, printer: Printer) -> int:
    """End a token."""
    with _tokens() as tokens:
        revoked = tokens.revoke(name)
    said = f"The token {revoked.name} is revoked; servers refuse it within 5 seconds."
    printer.answer(revoked, lambda _: print(said))
    return Exit.FINE


def lifetime(text: str) -> timedelta | datetime:
    """Read `30d`, or a date, at whose end in UTC the token expires. Raises InvalidRequest."""
    if (days := _DAYS.fullmatch(text)) is not None:
        return timedelta(days=int(days[1]))
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        pass  # no day of the calendar
    raise InvalidRequest(
        f"--expires {text[:40]!r} is neither a number of days nor a date",
        remediation="Give a number of days, such as 30d, or a date, such as 2027-01-31.",
    )


@contextmanager
def _tokens() -> Iterator[Tokens]:
    settings = load_settings(DatabaseSettings)
    if (place := missing_database(settings)) is not None:
        raise NothingHere(place, "Change to that folder, or create the database with `moonmind db upgrade`.")
    with tokens_of(settings) as tokens:
        yield tokens


def _draw(listed: Sequence[ApiToken], console: Console) -> None:
    if not listed:
        console.print("No tokens yet. Create one: moonmind token create NAME", style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in ("NAME", "STATE", "MAY", "CREATED", "EXPIRES"):
        table.add_column(name, overflow="fold")
    for token in listed:
        by = f" by {one_line(token.created_by)}" if token.created_by else ""
        table.add_row(
            Text(token.name, "bold"),
            Text(token.state, _STYLES[token.state]),
            "read" if token.read_only else "everything",
            Text(f"{ago(token.created_at)}{by}", "dim"),
            Text("never" if token.expires_at is None else _moment(token.expires_at), "dim"),
        )
    console.print(table)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
