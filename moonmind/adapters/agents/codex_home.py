"""A run's own CODEX_HOME: configuration that lets Codex work alone, and no credential that its commands could use."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_login import Login, find_login
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.adapters.trees import remove_tree
from moonmind.errors import NotConfigured
from moonmind.ports.sandbox import SandboxKind

CONFIG_FILE = "config.toml"
INSTRUCTIONS_FILE = "AGENTS.md"
"""What Codex tells the model in every project."""
PROVIDER = "moonmind"
TOKEN_VARIABLE = "MOONMIND_MODEL_TOKEN"  # noqa: S105 - a variable's name
"""Holds what the supervisor's key proxy asks of Codex; useless to anyone else, and after the job."""
DEFAULT_BASE_URL = "https://api.openai.com/v1"
CHATGPT_BASE_URL = "https://chatgpt.com/backend-api/"
"""Where a ChatGPT login's calls go; Codex's own setting `chatgpt_base_url` names another place."""

_THREAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")
_DATE_FOLDERS = 3
"""Codex keeps conversations by year, month and day."""
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

QUIET: Mapping[str, Any] = {
    "check_for_update_on_startup": False,
    "history": {"persistence": "none"},
    "analytics": {"enabled": False},
    "otel": {"exporter": "none", "trace_exporter": "none", "metrics_exporter": "none", "log_user_prompt": False},
    "features": {"plugins": False, "apps": False},
}
"""Codex contacts no service but the model's."""


def mode_of(kind: SandboxKind) -> str:
    """Return the mode of Codex's own sandbox, which is off where there is another wall, or is to be none."""
    return "workspace-write" if kind is SandboxKind.CODEX else "danger-full-access"


def configuration(options: AgentOptions, login: Login, mode: str) -> dict[str, Any]:
    """Return config.toml of a run: the labelled profile of the operator, with what MoonMind relies on laid over it."""
    ours: dict[str, Any] = {
        "approval_policy": "never",
        "sandbox_mode": mode,
        "allow_login_shell": False,
        # A search that the service runs for the model: no sandbox of ours would hold it.
        "web_search": "disabled",
        "cli_auth_credentials_store": "file",
        # The environment is an allow-list already; this keeps the proxy's token from commands as well.
        "shell_environment_policy": {
            "inherit": "all",
            "ignore_default_excludes": False,
            "exclude": ["*KEY*", "*TOKEN*", "*SECRET*", "*PASSWORD*"],
        },
        "sandbox_workspace_write": {"exclude_slash_tmp": True},
        **QUIET,
    }
    if options.codex_model:
        ours["model"] = options.codex_model
    if login.behind_proxy:
        ours["model_provider"] = PROVIDER
        # base_url is given on the command line: only the supervisor knows its proxy's port.
        ours["model_providers"] = {
            PROVIDER: {
                "name": "MoonMind",
                "env_key": TOKEN_VARIABLE,
                "wire_api": "responses",
                "requires_openai_auth": False,
            }
        }
    return _merged(profile(options.codex_env, login.home), ours)


def profile(label: str | None, home: Path) -> dict[str, Any]:
    """Read the operator's `<label>.config.toml`; empty where there is none. Raises NotConfigured."""
    if label is None:
        return {}
    if not _LABEL.fullmatch(label):
        raise NotConfigured(
            "CODEX_ENV may hold letters, digits, dots, dashes and underscores only",
            remediation="Set CODEX_ENV to a plain label, for example `prod`.",
        )
    path = home / f"{label}.config.toml"
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NotConfigured(
            f"{path} cannot be read: {error}", remediation=f"Fix {path}, or set CODEX_ENV to another label."
        ) from error


def opens_network(options: AgentOptions, kind: SandboxKind) -> bool:
    """Return True if commands of a job may use the network, and with it this machine's own ports."""
    if kind is not SandboxKind.CODEX:
        return kind is SandboxKind.NONE
    try:
        mode = profile(options.codex_env, find_login(options).home).get("sandbox_workspace_write")
    except NotConfigured:
        return False  # no job starts with such a profile
    return isinstance(mode, Mapping) and bool(mode.get("network_access"))


def furnish(home: Path, config: Mapping[str, Any], instructions: str = "") -> None:
    """Write the run's CODEX_HOME; repeatable, and harmless under an agent that already uses it.

    Whatever Codex or an older program noted in the configuration is replaced, its trust in a folder above all.
    """
    home.mkdir(exist_ok=True, mode=0o700)
    for name in (INSTRUCTIONS_FILE, CONFIG_FILE):
        if (home / name).is_dir() and not (home / name).is_symlink():
            remove_tree(home / name)
    if instructions:
        write_whole(home / INSTRUCTIONS_FILE, instructions.encode())
    else:
        (home / INSTRUCTIONS_FILE).unlink(missing_ok=True)
    write_whole(home / CONFIG_FILE, tomli_w.dumps(config).encode())


def knows_thread(home: Path, thread_id: str) -> bool:
    """Return True if a conversation can be resumed from this home.

    The folder and the id are the agent's: the id becomes an argument, so it must look like one, and no link is followed.
    """
    sessions = home / "sessions"
    if not _THREAD.fullmatch(thread_id) or sessions.is_symlink():
        return False
    return _holds_thread(sessions, thread_id, _DATE_FOLDERS)


def _holds_thread(folder: Path, thread_id: str, deeper: int) -> bool:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.is_symlink()]
    except OSError:
        return False
    return any(
        (entry.name.startswith("rollout-") and Path(entry.name).stem.endswith(thread_id))
        or (
            deeper > 0
            and entry.is_dir(follow_symlinks=False)
            and _holds_thread(Path(entry.path), thread_id, deeper - 1)
        )
        for entry in found
    )


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        result[name] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return result
