"""What the composition root gives a forge, whichever it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ForgeOptions:
    """A forge takes from here what it needs."""

    local_repos: Path
    """`local`: where its bare repositories lie, `<owner>/<name>.git`."""
    sample: Callable[[], Mapping[str, bytes]]
    """`local`: what a repository holds that is made at its first use, content by path."""
    environment: Mapping[str, str]
    """The process's own; adapters build an allow-list out of it."""
    sample_only: str | None = None
    """`local`: the one repository that is made; None: every one that is asked for and not there."""
