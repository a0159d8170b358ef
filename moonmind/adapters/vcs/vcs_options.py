"""What the composition root gives version control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.redact import Redactor


@dataclass(frozen=True, slots=True)
class VcsOptions:
    """What the process gives git."""

    state_folder: Path
    scheme: str
    """The configured forge's one transport: `file`, `https` or `http`."""
    git_environment: Callable[[], Mapping[str, str]]
    """Lets git authenticate; asked again for each command that talks to the forge."""
    environment: Mapping[str, str]
    """The process's own; PATH, certificates and proxies are taken from it."""
    redactor: Redactor = field(default_factory=Redactor)
    host: str = ""
    """The configured forge's one host, as it stands in its clone URLs."""
    lock_seconds: float = 60.0
    """How long the lock of a mirror is waited for."""
