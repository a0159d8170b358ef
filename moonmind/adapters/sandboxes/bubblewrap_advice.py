"""What to do on a host where bwrap can build no wall."""

import contextlib
import os
from pathlib import Path

_SETTINGS = Path("/proc/sys")
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_SWITCHES = {"kernel/unprivileged_userns_clone": 1, "user/max_user_namespaces": 10000}
"""Settings of the kernel that turn namespaces off where they are 0, and a value that turns them on."""


def advice(words: str, *, settings: Path = _SETTINGS) -> str:
    """Return what to do, by the kernel's settings and by what bwrap said; empty where neither tells."""
    if os.geteuid() != 0 and _setting(settings / _APPARMOR) == "1":
        return (
            "AppArmor keeps programs from making namespaces (Ubuntu 23.10 and later). Allow it for bwrap: `apt install "
            "bubblewrap apparmor-profiles`, `ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
            "/etc/apparmor.d/`, `systemctl reload apparmor`; or for all programs: "
            "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`. docs/sandboxes.md has more."
        )
    for name, value in _SWITCHES.items():
        if _setting(settings / name) == "0":
            return f"User namespaces are off. Turn them on: `sysctl {name.replace('/', '.')}={value}`."
    if "mount proc" in words:
        return (
            "This looks like a container: /proc cannot be mounted in one. Run MoonMind outside of it, set MOONMIND_SANDBOX=docker, "
            "or start the container with `--security-opt systempaths=unconfined`."
        )
    if "namespace" in words or "uid map" in words:
        return (
            "Namespaces are not allowed here. In a container, allow them (`--security-opt seccomp=unconfined "
            "--security-opt systempaths=unconfined`), or set MOONMIND_SANDBOX=docker."
        )
    return ""


def _setting(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text("ascii").strip()
    return ""
