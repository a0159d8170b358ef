"""The column `usage` of a run: tokens and calls of the model, which its stages add to."""

from collections.abc import Mapping
from typing import Any

COUNT, CAPPED = "modelCalls", "modelCallsCapped"


def shown(usage: Mapping[str, Any] | None) -> tuple[int | None, bool | None]:
    """Return a run's number of calls and whether they were limited, None each where that is not known."""
    found = usage or {}
    return found.get(COUNT), found.get(CAPPED)


def tokens(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the tokens of a run's usage; None where none were reported."""
    found = {name: count for name, count in (usage or {}).items() if name not in (COUNT, CAPPED)}
    return found or None
