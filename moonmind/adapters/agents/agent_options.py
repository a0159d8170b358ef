"""What the composition root tells an agent adapter; both of ours take the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.jobs.job_timing import TIMING, JobTiming
from moonmind.adapters.sandbox_choice import NO_CHOICE, SandboxChoice


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """Settings of an agent adapter, each named after the setting it comes from."""

    state_folder: Path
    """Job folders and agent homes live below it; absolute, never in a git work tree or below /tmp."""
    installation_id: str
    """Marks our processes: reaping touches no other installation's."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that must appear in no log."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """This process's environment; agents get the few harmless variables of it."""
    codex_bin: str | None = None
    codex_home: Path | None = None
    """Where the operator logged in; unset: `~/.codex`."""
    codex_base_url: str | None = None
    codex_api_key: str | None = field(default=None, repr=False)
    codex_model: str | None = None
    codex_env: str | None = None
    """A label; picks `<label>.config.toml` in the operator's home if present."""
    settings_file: Path | None = None
    """The file that this process's settings were read from; it may hold credentials."""
    private: tuple[Path, ...] = ()
    """The service's own files, which no command of an agent may read: its database, its server's file."""
    sandbox: SandboxChoice = NO_CHOICE
    """What confines jobs; without a choice, what the agent brings along."""
    environments: EnvironmentStore | None = None
    """What is lent to jobs behind a wall; None: nothing."""
    script: Path | None = None
    """The scripted agent's script, for every job."""
    script_for: Callable[[str, str], bytes | None] | None = field(default=None, repr=False)
    """Returns the scripted agent's script by the feature's path and the phase's title, where there is one."""
    timing: JobTiming = TIMING
