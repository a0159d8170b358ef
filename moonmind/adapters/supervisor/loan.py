"""Lends the operator's login to one agent at a time: a refreshed token is worth nothing if its successor is lost."""

import hashlib
import os
from pathlib import Path

from moonmind.adapters.supervisor.folder import try_lock, write_whole
from moonmind.adapters.supervisor.order import Loan


class LoginBusy(Exception):
    """Another agent has the login now."""


def take(loan: Loan) -> int:
    """Copy the login in and return the descriptor that holds it lent. Raises LoginBusy, OSError."""
    source, copy = Path(loan.source), Path(loan.copy)
    descriptor = _lock(source)
    if descriptor is None:
        raise LoginBusy(str(source))
    try:
        _settle(source, copy)  # an earlier borrower of this home may have been killed before it gave back
        content = source.read_bytes()
        write_whole(_note(copy), hashlib.sha256(content).hexdigest().encode())
        write_whole(copy, content)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def give_back(loan: Loan, descriptor: int) -> None:
    """Write the login back if the agent refreshed it, and let the next one borrow it."""
    try:
        _settle(Path(loan.source), Path(loan.copy))
    finally:
        os.close(descriptor)


def settle(loan: Loan) -> None:
    """Return the login that a killed borrower kept, unless it is lent to another job now."""
    source = Path(loan.source)
    descriptor = _lock(source)
    if descriptor is not None:
        give_back(loan, descriptor)


def _settle(source: Path, copy: Path) -> None:
    try:
        lent, now = _note(copy).read_text("ascii"), copy.read_bytes()
        kept = source.read_bytes()
    except FileNotFoundError:  # nothing was lent, or the operator logged out meanwhile: then nothing is restored
        return
    if hashlib.sha256(now).hexdigest() != lent and hashlib.sha256(kept).hexdigest() == lent:
        # Only over what was lent: a login that the operator has renewed meanwhile wins.
        write_whole(source, now)
    _note(copy).unlink()


def _note(copy: Path) -> Path:
    return copy.with_name(copy.name + ".lent")


def _lock(source: Path) -> int | None:
    return try_lock(source.with_name(source.name + ".moonmind-lock"))
