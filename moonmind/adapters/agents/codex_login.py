"""What credential Codex has here: a key from the settings, a stored key, or a stored ChatGPT login."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.supervisor.login import relayed

AUTH_FILE = "auth.json"


class LoginKind(StrEnum):
    """Where the credential comes from."""

    SETTING = "API key from CODEX_API_KEY"
    STORED_KEY = "API key stored by codex login"
    CHATGPT = "ChatGPT login"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Login:
    """The credential in force. `problem` says why a stored one cannot be used."""

    kind: LoginKind
    home: Path
    """The operator's Codex home, whether it exists or not."""
    key: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Every value that must appear in no log."""
    problem: str = ""
    relayed: bool = False
    """The stored ChatGPT login is of a kind that our proxy can use for Codex; else Codex has to hold it itself."""

    @property
    def behind_proxy(self) -> bool:
        """Return True if Codex uses the credential through our proxy and never holds it."""
        return self.key is not None or self.relayed

    @property
    def auth_file(self) -> Path:
        """Return the file in which `codex login` stores its credentials."""
        return self.home / AUTH_FILE


def find_login(options: AgentOptions) -> Login:
    """Look for a credential; the setting wins over what is stored."""
    home = options.codex_home or Path(options.environment.get("HOME") or "~") / ".codex"
    home = home.expanduser().absolute()
    if options.codex_api_key:
        return Login(LoginKind.SETTING, home, options.codex_api_key, secrets=(options.codex_api_key,))
    try:
        stored = json.loads((home / AUTH_FILE).read_bytes())
    except FileNotFoundError:
        return Login(LoginKind.NONE, home)
    except (OSError, ValueError) as error:
        # Of a JSON error only the kind: its message could quote the file.
        words = error.strerror if isinstance(error, OSError) else "it is not valid JSON"
        return Login(LoginKind.NONE, home, problem=f"{home / AUTH_FILE} cannot be read: {words}")
    stored = stored if isinstance(stored, dict) else {}
    key, tokens = stored.get("OPENAI_API_KEY"), stored.get("tokens")
    if isinstance(tokens, dict) and stored.get("auth_mode") != "apikey":
        values = tuple(value for value in tokens.values() if isinstance(value, str) and len(value) >= 12)
        return Login(LoginKind.CHATGPT, home, relayed=relayed(stored) is not None, secrets=values)
    if isinstance(key, str) and key:
        return Login(LoginKind.STORED_KEY, home, key, secrets=(key,))
    return Login(LoginKind.NONE, home, problem=f"{home / AUTH_FILE} holds neither a key nor a ChatGPT login")
