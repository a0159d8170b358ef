"""What the kernel knows about processes: who they are, whose children they are, and how to be rid of them. Linux only.

Where /proc is not mounted (a bare chroot), a pid alone names a process and nobody's children can be listed: agents are
still run, watched and stopped, but what they hid in sessions of their own is not found. `doctor` says so.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

# Loaded here and not where it is used: between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Process:
    """One process for ever: a pid is used again, a pid with its start time is not."""

    pid: int
    started: str
    """Clock ticks since boot, as /proc/<pid>/stat tells it."""

    @property
    def alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.state not in "ZX" and stat.started == self.started

    @property
    def stopped(self) -> bool:
        """Return True if SIGCONT would let it go on; True also where that cannot be seen."""
        stat = _stat(self.pid)
        return stat is not None and stat.state in "T?" and stat.started == self.started

    def signal(self, number: int) -> bool:
        """Send a signal unless the process is gone; False where it may not be signalled."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            except PermissionError:
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    parent: int
    started: str


def sees_processes() -> bool:
    """Tell whether the kernel shows its processes here."""
    return (_PROC / "self").exists()


def _stat(pid: int) -> _Stat | None:
    if not sees_processes():
        return _guess(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The command's name, in brackets, may hold spaces and brackets; everything after the last bracket is plain.
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), fields[19])


def _guess(pid: int) -> _Stat | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's, and there
    return _Stat("?", 0, "unknown")


def identify(pid: int) -> Process:
    """Name a process that exists. Raises ProcessLookupError."""
    stat = _stat(pid)
    if stat is None:
        raise ProcessLookupError(pid)
    return Process(pid, stat.started)


def boot_id() -> str:
    """Name this boot of the host: pids and start times mean nothing in another."""
    place = _PROC / "sys/kernel/random/boot_id"
    return place.read_text("ascii").strip() if sees_processes() else "unknown"


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()) if sees_processes() else ()


def descendants(root: int) -> list[Process]:
    """List all living processes below `root`, in whatever session or group they hid."""
    children: dict[int, list[Process]] = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None and stat.state not in "ZX":
            children.setdefault(stat.parent, []).append(Process(pid, stat.started))
    found: list[Process] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += [process.pid for process in below]
    return found


def marked(name: str, value: str) -> list[Process]:
    """List the living processes of this user that were started with `name=value` in their environment."""
    wanted = f"{name}={value}".encode()
    found = []
    for pid in _pids():
        try:
            variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if wanted in variables and pid != os.getpid():
                found.append(identify(pid))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or another user's
    return [process for process in found if process.alive]


def called(*words: str) -> list[Process]:
    """List the living processes whose command line ends in these words; unlike an environment, it is never hidden."""
    wanted = "\0".join(("", *words, "")).encode()
    found = []
    for pid in _pids():
        try:
            if (_PROC / str(pid) / "cmdline").read_bytes().endswith(wanted) and pid != os.getpid():
                found.append(identify(pid))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or another user's
    return [process for process in found if process.alive]


def kill_all(find: Callable[[], Iterable[Process]], *, seconds: float) -> list[Process]:
    """Kill what `find` gives until it gives nothing; returns what is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while left := list(find()):
        if time.monotonic() > deadline:
            return left
        for process in left:
            process.signal(signal.SIGKILL)
        time.sleep(0.01)
    return []


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none leaves the tree."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """Keep other processes of this user out of our memory and environment; root is not kept out."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with(parent: int) -> None:
    """Die when the parent does. Called between fork and exec: no imports, no locks."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        os._exit(127)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
