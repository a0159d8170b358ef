"""Makes sure that the operator's own Codex home is usable, and says what is missing; never changes what exists."""

from dataclasses import dataclass
from pathlib import Path

import tomli_w

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_login import LoginKind, find_login
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.errors import NotConfigured

_COMMENT = "# Made by MoonMind, and not changed by it again. Each run gets a home and a configuration of its own.\n"


@dataclass(frozen=True, slots=True)
class CodexSetup:
    """What was found and made; no secrets."""

    home: Path
    config: Path
    config_made: bool
    login: str
    usable: bool
    problem: str
    """Why there is no usable login; empty when there is one."""


def ensure_codex_home(options: AgentOptions) -> CodexSetup:
    """Make home and config.toml where they are missing, and look for a login. Raises NotConfigured."""
    login = find_login(options)
    config = login.home / "config.toml"
    try:
        login.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = not config.exists()
        if made:
            # In a file, where a run can borrow it; a keyring would not be reachable from a service.
            write_whole(config, (_COMMENT + tomli_w.dumps({"cli_auth_credentials_store": "file"})).encode())
    except OSError as error:
        raise NotConfigured(
            f"the Codex home {login.home} cannot be created: {error.strerror}",
            remediation="Set CODEX_HOME to a folder that this user may write.",
        ) from error
    usable = login.kind is not LoginKind.NONE
    problem = "" if usable else login.problem or f"there is no {login.auth_file}, and CODEX_API_KEY is not set"
    return CodexSetup(login.home, config, made, login.kind.value, usable, problem)
