"""What `doctor` looks at on this machine beside the agent and the forge: its programs, and the other hosts."""

import shutil
import sys
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from moonmind import __version__
from moonmind.db.unit_of_work import Database
from moonmind.errors import MoonMindError
from moonmind.ports.agent import Agent
from moonmind.ports.check import Check, CheckStatus
from moonmind.runs.records import ApiToken
from moonmind.settings import Settings

_HOST_MEMORY = timedelta(days=1)
"""A host that was not heard of for longer is not counted among those that work."""


def settings_file(settings: Settings) -> Check:
    """Report which file the settings were read from, if any, and variables that look like settings and are none."""
    if settings.env_file is None:
        source = "read from environment variables; there is no .env in this folder"
    else:
        source = f"read from environment variables and {settings.env_file}"
    if unknown := settings.unknown_variables():
        named = [f"{name} (nearest: {near})" if near else name for name, near in unknown.items()]
        counted = "is no setting" if len(named) == 1 else "are no settings"
        fix = "Correct the name or remove the variable; docs/settings.md lists all settings."
        return Check("settings", CheckStatus.UNKNOWN, f"{', '.join(named)} {counted}; {source}", fix)
    return Check("settings", CheckStatus.PASSED, source)


def hosts(database: Database) -> tuple[Check, ...]:
    """Report what several hosts would miss: artifacts are kept in a folder of each."""
    try:
        with database.read() as uow:
            now = uow.now()
            names = sorted(host.name for host in uow.hosts.list() if now - host.seen_at < _HOST_MEMORY)
    except MoonMindError as error:
        return (Check("hosts", CheckStatus.UNKNOWN, error.message, error.advice),)
    if len(names) < 2:
        return (Check("hosts", CheckStatus.PASSED, "at most one worker host; artifacts are kept on its disk"),)
    return (
        Check(
            "hosts",
            CheckStatus.UNKNOWN,
            f"{len(names)} worker hosts ({', '.join(names)}), but each keeps artifacts on its own disk",
            "Run all workers on one host, or mount the same SPEC_WORKFLOW_ARTIFACT_ROOT on every host.",
        ),
    )


def api_token(agent: Agent, database: Database, *, is_set: bool, is_open: bool) -> tuple[Check, ...]:
    """Report who could call the API and should not, or should and cannot; nothing where that is in order.

    A request needs a token where MOONMIND_API_TOKEN is set (`is_set`), or the server listens for other machines (`is_open`).
    Named tokens are as good then, and no reason to ask for one else.
    """
    if is_set:
        return ()
    try:
        with database.read() as uow:
            named = tuple(one for one in uow.tokens.list() if one.revoked_at is None and not one.expired)
    except MoonMindError:  # reported by other checks: what is known without it is that no token of the settings is set
        return () if is_open else _open_to_agents(agent, 0)
    return _usable(named) if is_open else _open_to_agents(agent, len(named))


def _usable(named: Collection[ApiToken]) -> tuple[Check, ...]:
    if any(not token.read_only for token in named):
        return ()
    which = (
        "each one that is valid may only read: nobody can start a run" if named else "none is valid: nobody can use it"
    )
    fix = "Create one with `moonmind token create NAME`, or set MOONMIND_API_TOKEN and start the server again."
    return (Check("api.token", CheckStatus.UNKNOWN, f"the API asks every request for a token, and {which}", fix),)


def _open_to_agents(agent: Agent, named: int) -> tuple[Check, ...]:
    if not agent.reaches_host():
        return ()
    count = "the named token does" if named == 1 else f"the {named} named tokens do"
    beside = f"; {count} not change that, since a request of this machine's user needs none" if named else ""
    return (
        Check(
            "api.token",
            CheckStatus.UNKNOWN,
            "commands of agents may reach this API, which cannot tell them from you without a token: they could start "
            f"and cancel runs{beside}",
            "Set MOONMIND_API_TOKEN, or keep agents off the network: MOONMIND_SANDBOX=bubblewrap or docker; with codex no "
            "network_access in the profile that CODEX_ENV names.",
        ),
    )


def speckit() -> tuple[Check, ...]:
    """Probe that `speckit` is where this program is, as the quickstart calls it."""
    beside = Path(sys.executable).with_name("speckit")
    if beside.exists() or shutil.which("speckit"):
        return (
            Check(
                "speckit",
                CheckStatus.PASSED,
                f"MoonMind's `speckit` command {__version__}",
                facts={"speckit": __version__},
            ),
        )
    return (
        Check(
            "speckit",
            CheckStatus.FAILED,
            "MoonMind's `speckit` command is not installed beside this program",
            "Run `poetry install` in the checkout, or reinstall the package.",
        ),
    )
