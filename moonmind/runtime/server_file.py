"""Where this machine's server is: one small file that names its address and the process that serves it.

A process id alone proves nothing, since ids are used again; with the process's start time it names one process for
ever. Where the kernel does not tell start times (no `/proc`), a living id is taken for the server.
"""

import ipaddress
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from moonmind.private import make_folder

_NAME = "server.json"
_STATE, _START = 0, 19  # fields of /proc/<pid>/stat, counted from behind the command's closing parenthesis


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server that is alive."""

    url: str
    pid: int
    start: str | None = field(default=None, compare=False)
    """The kernel's start time of the process; None where it tells none."""
    has_token: bool = field(default=False, compare=False)
    """Whether MOONMIND_API_TOKEN is set for it."""

    @property
    def is_open(self) -> bool:
        """Return True if it listens for other machines, and so asks every request for a token."""
        return not is_loopback(urlsplit(self.url).hostname or "")


def is_loopback(host: str) -> bool:
    """Return True if only this machine reaches a server at this address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def announce(var_dir: Path, url: str, *, has_token: bool = False) -> None:
    """Announce to other processes of this folder that this process serves `url`; replaces what stood there.

    `has_token` says whether MOONMIND_API_TOKEN is set for it, not which it is.
    """
    make_folder(var_dir, 0o750)
    pid = os.getpid()
    body = json.dumps({"url": url, "pid": pid, "startTime": _started(pid), "hasToken": has_token})
    fresh = var_dir / f".{_NAME}.{pid}"
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(body + "\n", "utf-8")
    fresh.replace(var_dir / _NAME)


def withdraw(var_dir: Path) -> None:
    """Take back what this process announced; another process's announcement stays."""
    written = _read(var_dir)
    if written is not None and written.pid == os.getpid():
        (var_dir / _NAME).unlink(missing_ok=True)


def find(var_dir: Path) -> ServerInfo | None:
    """Find the server of this folder; None where there is none, or its process is gone."""
    server = _read(var_dir)
    return server if server is not None and lives(server) else None


def lives(server: ServerInfo) -> bool:
    """Return True if a server's process is still there, announced or not: it ends later than it takes its word back."""
    return _alive(server.pid) and server.start == _started(server.pid)


def _read(var_dir: Path) -> ServerInfo | None:
    try:
        body = json.loads((var_dir / _NAME).read_text("utf-8"))
        start = body["startTime"]
        started = None if start is None else str(start)
        return ServerInfo(str(body["url"]), int(body["pid"]), started, body.get("hasToken") is True)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, torn or another program's: no server that we could name


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    with suppress(PermissionError):  # another user's process is alive too
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
    fields = _stat(pid)
    return fields is None or fields[_STATE] != "Z"


def _started(pid: int) -> str | None:
    fields = _stat(pid)
    return None if fields is None else fields[_START]


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
