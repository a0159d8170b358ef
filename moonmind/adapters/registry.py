"""Finds adapters by name through entry points: ours are declared as a third party's would be."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions
from typing import Any, Literal

from moonmind.errors import NotConfigured

Kind = Literal["agents", "forges"]

_SETTING: Mapping[Kind, str] = {"agents": "MOONMIND_AGENT", "forges": "MOONMIND_FORGE"}


def load(kind: Kind, name: str) -> Any:
    """Import the adapter's class. Raises NotConfigured: unknown, with the names there are, or not importable."""
    found = _installed(kind, tuple(sys.path))
    entry = found.get(name)
    if entry is None:
        known = ", ".join(sorted(found)) or "none; is MoonMind installed?"
        raise NotConfigured(
            f"there is no {name!r} among the {kind} (known: {known})",
            remediation=f"Set {_SETTING[kind]} to one of the known names, or install the package that provides it.",
        )
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise NotConfigured(
            f"the adapter {name!r} ({entry.value}) cannot be imported: {error}",
            remediation="Install the package that provides it, with its dependencies.",
        ) from error


@lru_cache
def _installed(kind: Kind, places: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """Return what is installed in the folders of `sys.path`, which are all looked through for it."""
    return {
        entry.name: entry
        for package in reversed(list(distributions(path=list(places))))  # the first one of a name counts
        for entry in package.entry_points
        if entry.group == f"moonmind.{kind}"
    }
