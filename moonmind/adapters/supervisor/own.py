"""Which processes are MoonMind's own: known by pid and start time, since any program may choose its command line.

Each process that can end jobs leaves an empty file named after itself in a folder of the installation.
"""

import contextlib
import os
from pathlib import Path

from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.kernel import Process


def register(folder: Path) -> None:
    """Note this process in the folder; raises OSError where that cannot be done."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    me = kernel.identify(os.getpid())
    (folder / f"{_seen_from()}.{me.pid}.{me.started}").touch(mode=0o600)


def registered(folder: Path) -> set[Process]:
    """Return the noted processes that live, and remove the notes of those that ended.

    Another container that shares the folder counts its processes in its own way: its notes are left alone.
    """
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for note in folder.iterdir():
            boot, _, rest = note.name.partition(".")
            space, _, rest = rest.partition(".")
            pid, _, started = rest.partition(".")
            if f"{boot}.{space}" == _seen_from() and pid.isdigit() and (process := Process(int(pid), started)).alive:
                found.add(process)
            elif boot != kernel.boot_id() or f"{boot}.{space}" == _seen_from() or not pid:
                note.unlink(missing_ok=True)
    return found


def _seen_from() -> str:
    """Return what pids mean here: this start of the machine, in this pid namespace."""
    space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{kernel.boot_id()}.{space}"


def lineage() -> set[Process]:
    """Return this process and its ancestors."""
    parents = {process.pid: (process, parent) for process, parent in kernel.processes()}
    found: set[Process] = set()
    pid = os.getpid()
    while pid in parents:
        process, pid = parents.pop(pid)
        found.add(process)
    return found
