"""A wall that is no more than a set of namespaces, for tests of the supervisor alone."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from moonmind.adapters.supervisor.folder import JobFolder
from moonmind.adapters.supervisor.link import ENTRY, PORT
from tests.support.marker_counts import MACHINE

LINK = "/mnt"
"""Where the link's folder is behind this wall."""


def bwrap() -> str:
    """Return the path of the system's bwrap, else of the one that comes with Codex."""
    found = shutil.which("bwrap")
    if found is None:
        package = find_spec("codex_cli_bin")
        assert package is not None
        assert package.origin is not None
        found = str(next(Path(package.origin).parent.rglob("bwrap")))
    return found


@cache
def _stands() -> bool:
    command = [bwrap(), "--unshare-all", "--dev-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def require_walls() -> None:
    """Skip the test where no namespaces can be made, as in most chroots."""
    if not _stands():
        pytest.skip(f"{MACHINE}no namespaces can be made here")


def walled(folder: JobFolder, command: Sequence[str]) -> tuple[str, ...]:
    """Return the command behind namespaces of its own, with the host's files."""
    wall = (
        bwrap(),
        "--unshare-all",
        "--die-with-parent",
        "--as-pid-1",
        "--cap-drop",
        "ALL",
        "--dev-bind",
        "/",
        "/",
        "--proc",
        "/proc",
    )
    entry = (sys.executable, "-I", f"{LINK}/{ENTRY}", LINK, str(PORT))
    return (*wall, "--ro-bind", str(folder.link), LINK, *entry, *command)
