"""What the kernel knows about processes: who they are, whose children they are, and how to be rid of them. Linux only.

Where /proc is not mounted (a bare chroot), a pid alone names a process and children cannot be listed: agents are
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
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_SLAVE = 0x2, 0x4, 0x8, 0x4000, 0x80000

# Loaded here and not where it is used: between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Process:
    """One process, identified permanently: a pid is reused, a pid with its start time is not."""

    pid: int
    started: str
    """Clock ticks since boot, as /proc/<pid>/stat tells it."""

    @property
    def alive(self) -> bool:
        """Return True if this very process still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.state not in "ZX" and stat.started == self.started

    @property
    def stopped(self) -> bool:
        """Return True if SIGCONT would continue it; True also if that cannot be seen."""
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
    session: int = 0


def sees_processes() -> bool:
    """Return True if the kernel shows its processes here."""
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
    return _Stat(fields[0], int(fields[1]), fields[19], int(fields[3]))


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


def processes() -> Iterable[tuple[Process, int]]:
    """Yield every living process, with its parent's pid."""
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None and stat.state not in "ZX":
            yield Process(pid, stat.started), stat.parent


def threads() -> int:
    """Return how many threads there are on this host, whoever's; 0 where the kernel does not show that."""
    try:
        return int((_PROC / "loadavg").read_text("ascii").split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0


def session_of(pid: int) -> int:
    """Return a process's session; 0 where it is gone, or where its session is of another namespace."""
    stat = _stat(pid)
    return stat.session if stat is not None else 0


def name_of(pid: int) -> str:
    """Return a process's short name; empty where it is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def user_of(pid: int) -> int | None:
    """Return the effective user of a process; None where it is gone."""
    try:
        lines = (_PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[2]) for line in lines if line.startswith("Uid:")), None)


def descendants(root: int) -> list[Process]:
    """List all living processes below `root`, in whatever session or group they hid."""
    children: dict[int, list[Process]] = {}
    for process, parent in processes():
        children.setdefault(parent, []).append(process)
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
    """Kill what `find` returns until it returns nothing; return what is left after `seconds`."""
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


def die_with_parent() -> None:
    """Die when the parent does, for the first process of a pid namespace, which cannot see its parent."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def new_namespace(*, mounts: bool) -> None:
    """Let the next child be the first process of a pid namespace. Raises OSError where this host forbids it.

    An ordinary user needs a user namespace around it, in which it stays who it is; root does without, and would lose the
    other users' files in one.
    """
    flags = _CLONE_NEWPID | (_CLONE_NEWNS if mounts else 0)
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _called(_LIBC.unshare(flags))
        return
    _called(_LIBC.unshare(flags | _CLONE_NEWUSER))
    for name, words in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        (_PROC / "self" / name).write_text(words)


def mount_proc() -> None:
    """Show the processes of this pid namespace, and no others, to everything in it. Raises OSError."""
    # Nothing that is mounted here is to appear outside.
    _called(_LIBC.mount(b"none", b"/proc", None, _MS_REC | _MS_SLAVE, None))
    _called(_LIBC.mount(b"proc", b"/proc", b"proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None))


def _called(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, value: int) -> None:
    _called(_LIBC.prctl(option, value, 0, 0, 0))
