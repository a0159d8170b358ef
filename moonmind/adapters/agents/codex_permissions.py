"""What an agent's commands may read and write: a permission profile of Codex, where this Codex can enforce one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonmind.adapters import process
from moonmind.errors import NotConfigured

PROFILE = "moonmind"
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reach:
    """The folders and files of one job, by what its commands may do with them. Paths are absolute."""

    workspace: Path
    temporary: Path
    """The job's TMPDIR; the HOME of its commands is made in it, since the run's own is Codex's."""
    hidden: tuple[Path, ...]
    """Never read, though anything else of the disk may be; the two folders above may lie within."""


def confined(config: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Return the configuration with a permission profile in place of the `workspace-write` mode, which hides no file."""
    replaced = ("sandbox_mode", "sandbox_workspace_write", "default_permissions")
    mode = config.get("sandbox_workspace_write", {})
    writable = [reach.workspace, reach.temporary, *(Path(root) for root in mode.get("writable_roots", ()))]
    filesystem = {
        ":slash_tmp": "read",
        **{str(path.resolve()): "deny" for path in reach.hidden},
        **{str(path.resolve()): "write" for path in writable},
    }
    profile = {
        "extends": ":workspace",
        "filesystem": filesystem,
        "network": {"enabled": bool(mode.get("network_access", False))},
    }
    policy = config.get("shell_environment_policy", {})
    home = {"HOME": str(reach.temporary / "home")}
    return {
        **{name: value for name, value in config.items() if name not in replaced},
        "default_permissions": PROFILE,
        "permissions": {**config.get("permissions", {}), PROFILE: profile},
        "shell_environment_policy": {**policy, "set": {**policy.get("set", {}), **home}},
    }


def holds(codex: str, reach: Reach, secret: Path, environment: Mapping[str, str]) -> bool:
    """Return True if this Codex, on this host, enforces the profile in its home; profiles are new and may change.

    `secret` is a hidden file that exists. Return False also if Codex cannot set up its sandbox at all.
    """
    question = 'test -w . && test -w "$TMPDIR" && ! cat "$1"'
    argv = [
        codex,
        "sandbox",
        "-P",
        PROFILE,
        "-C",
        str(reach.workspace),
        "--",
        "/bin/sh",
        "-c",
        question,
        "sh",
        str(secret),
    ]
    try:
        return process.run(argv, cwd=reach.workspace, env=environment, timeout=_SECONDS).ok
    except (NotConfigured, OSError):
        return False
