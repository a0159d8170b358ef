"""What the composition root tells a sandbox; both of ours take the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Settings of a sandbox, each named after the setting it comes from."""

    state_folder: Path
    """Absolute; probes work below it, and what they remember lies there."""
    installation_id: str
    """Marks our containers: no other installation's are touched."""
    host_id: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """This process's environment: where programs and the container engine are looked for."""
    codex_package: Path | None = None
    """The folder of the Codex package, which brings a bwrap along; None where there is none."""
    image: str | None = None
    """The image of job containers, by digest or id, or a name that is resolved to its id."""
    images: tuple[str, ...] = ()
    """Images that repositories may name beside it, written as it is."""
    read: tuple[Path, ...] = ()
    """Further files and folders of the host that jobs in `bubblewrap` may read, under their own paths."""
    memory: int = 4 << 30
    """Bytes that one job's processes may use together, where the host can hold them to it."""
    cpus: float | None = None
    """Cores that one job may use; None: all."""
    processes: int = 1024
    """Processes and threads that one job may have, where the host can hold it to that."""
