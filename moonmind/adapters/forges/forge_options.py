"""What the composition root gives a forge, whichever it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.redact import Redactor


def _nothing() -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeOptions:
    """A forge takes from here what it needs."""

    environment: Mapping[str, str]
    """The process's own; adapters build an allow-list out of it."""
    labels: tuple[str, ...] = ()
    """Put on every pull request, beside the draft's own."""
    redactor: Redactor = field(default_factory=Redactor)
    """For words of the service that go into errors."""

    # --- local
    local_repos: Path = Path("repositories")
    """Where its bare repositories lie, `<owner>/<name>.git`."""
    sample: Callable[[], Mapping[str, bytes]] = _nothing
    """What a repository holds that is made at its first use, content by path."""
    sample_only: str | None = None
    """The one repository that is made; None: every one that is asked for and not there."""

    # --- github
    state_folder: Path = Path("state")
    """Where the program lies that answers git's question for the password."""
    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"
    """Where people, and git, find the repositories."""
    token: str | None = None
