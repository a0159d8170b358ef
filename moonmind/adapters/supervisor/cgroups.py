"""Control groups of version 2, where a folder of theirs has been delegated to us: `cgroup.kill` ends a group whole."""

import contextlib
import hashlib
import os
import time
from pathlib import Path

from moonmind.adapters.supervisor import keeper, kernel

_PREFIX = "moonmind-"
_SECONDS = 5.0


def make(mark: str) -> str | None:
    """Make the job's group below our own; None where that is not allowed, or where groups cannot be killed."""
    group = _place(mark)
    if group is None:
        return None
    try:
        group.mkdir(exist_ok=True)
        if os.access(group / "cgroup.kill", os.W_OK):
            return str(group)
        group.rmdir()
    except OSError:
        return None
    return None


def emptied(group: str) -> bool:
    """Kill all of a group and remove it; False if something of it is still there after a while."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            keeper.kill_group(group)
            Path(group).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)


def members(group: str) -> list[kernel.Process]:
    """List the processes of a group that can be identified."""
    try:
        pids = [int(pid) for pid in Path(group, "cgroup.procs").read_text("ascii").split()]
    except OSError as error:
        if error.errno not in keeper.GROUP_GONE:
            raise
        return []
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            found.append(kernel.identify(pid))
    return found


def is_group_of(group: str, mark: str) -> bool:
    """Return True if a noted path is the job's own group: a note that says anything else kills no process."""
    return Path(group).name == _name(mark)


def _name(mark: str) -> str:
    return _PREFIX + hashlib.sha256(mark.encode()).hexdigest()[:32]


def _place(mark: str) -> Path | None:
    if not kernel.sees_processes():
        return None
    own = next(
        (line[3:] for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines() if line.startswith("0::")), None
    )
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        if own is not None and after.split(" ")[0] == "cgroup2":
            fields = before.split(" ")
            if own.startswith(fields[3].rstrip("/")):
                inside = own[len(fields[3].rstrip("/")) :].lstrip("/")
                return Path(fields[4].replace("\\040", " "), inside, _name(mark))
    return None
