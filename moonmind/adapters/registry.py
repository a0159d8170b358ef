"""Finds adapters by name through entry points: ours are declared as a third party's would be."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Literal

from moonmind.errors import NotConfigured

Kind = Literal["agents", "forges"]

_SETTING: Mapping[Kind, str] = {"agents": "MOONMIND_AGENT", "forges": "MOONMIND_FORGE"}


def load(kind: Kind, name: str) -> Any:
    """Import the adapter's class. Raises NotConfigured: unknown, with the names there are, or not importable."""
    found = {entry.name: entry for entry in entry_points(group=f"moonmind.{kind}")}
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
