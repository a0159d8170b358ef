"""Finds a job's remaining processes by the traces that they carry, where nothing else holds them together.

A trace counts only for a process of this user that started after the job, and only if its starter is gone or belongs to
the job as well: an editor or a shell that stands in a run's folder has a living parent that is not.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.folder import write_json
from moonmind.adapters.supervisor.kernel import Process
from moonmind.adapters.supervisor.own import lineage

NOTE_SECONDS = 0.5
MOST_SEEN = 2000
"""How many processes are noted at most, the newest."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a job's processes can be known by."""

    begun: int
    """Clock ticks since boot at which the job's first process started."""
    folders: tuple[str, ...]
    """The workspace, the job's TMPDIR and the agent's home."""
    pipes: frozenset[str]
    """The agent's standard output and error, as links of /proc show them."""
    sessions: frozenset[int]


def pipes_of(*descriptors: int) -> list[str]:
    """Name pipes as links of /proc name them."""
    return [f"pipe:[{os.fstat(descriptor).st_ino}]" for descriptor in descriptors]


class ProcessNotes:
    """Writes down who an agent's processes are, where nothing else would find them without their supervisor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = float("-inf")
        self._seen: list[dict[str, Any]] = []

    def note(self, now: float) -> None:
        """List this process's descendants in the file, unless that was done just now. Raises OSError."""
        if now - self._at < NOTE_SECONDS:
            return
        self._at = now
        found = kernel.descendants(os.getpid())[-MOST_SEEN:]
        seen = [{"pid": one.pid, "started": one.started, "session": kernel.session_of(one.pid)} for one in found]
        if seen != self._seen:
            self._seen = seen
            write_json(self._path, {"processes": seen}, sync=False)


def trace_of(handle: Mapping[str, Any], seen: Iterable[Mapping[str, Any]], folders: Iterable[Path]) -> Trace | None:
    """Put together what a handle and the notes say; None where the host cannot show it."""
    begun = str(handle.get("started") or "")
    if not kernel.sees_processes() or handle.get("boot") != kernel.boot_id() or not begun.isdigit():
        return None
    places = {*(str(folder) for folder in folders), *(str(folder) for folder in handle.get("folders") or ())}
    resolved = {os.path.realpath(place) for place in places}
    own = os.getsid(0)
    sessions = {int(one["session"]) for one in seen if one.get("session")} - {0, own}
    return Trace(
        int(begun),
        tuple(sorted((places | resolved) - {"/"})),
        frozenset(str(pipe) for pipe in handle.get("pipes") or ()),
        frozenset(sessions),
    )


def leftovers(trace: Trace, own: Collection[Process] = ()) -> list[Process]:
    """List the living processes that carry a trace and are not `own`: MoonMind's own, which read the folders of runs."""
    user = os.geteuid()
    own = {*own, *lineage()}
    parents, ours = {}, {}
    for process, parent in kernel.processes():
        parents[process.pid] = parent
        if process.pid == 1 or process in own or int(process.started) < trace.begun:
            continue
        if _carries(process.pid, trace, user):
            ours[process.pid] = process
    adopters = {1, *(pid for pid, parent in parents.items() if parent == 1 and _adopts(pid))}
    return [process for process in ours.values() if _orphaned(process.pid, parents, ours, adopters)]


def _adopts(pid: int) -> bool:
    """Return True for a user's service manager, to which the orphans of its services go."""
    return kernel.name_of(pid) in ("systemd", "dinit", "runsvdir", "s6-svscan")


def _orphaned(pid: int, parents: Mapping[int, int], ours: Mapping[int, Process], adopters: set[int]) -> bool:
    while pid in ours:
        pid = parents[pid]
    # Whose parent died while we looked is an orphan; pid 0 is how a container's first processes see those outside.
    return pid in adopters or (pid != 0 and pid not in parents)


def _carries(pid: int, trace: Trace, user: int) -> bool:
    place = Path("/proc") / str(pid)
    try:
        if place.stat().st_uid not in (user, 0) or kernel.user_of(pid) != user:
            return False
        command = (place / "cmdline").read_bytes()
    except OSError:
        return False
    if kernel.session_of(pid) in trace.sessions:
        return True
    words = command.decode("utf-8", "surrogateescape")
    if any(f"{folder}/" in words or f"{folder}\0" in words for folder in trace.folders):
        return True
    return any(_points(link, trace) for link in _links(place))


def _points(link: str, trace: Trace) -> bool:
    target = link.removesuffix(" (deleted)")
    return target in trace.pipes or any(target == folder or target.startswith(f"{folder}/") for folder in trace.folders)


def _links(place: Path) -> Iterable[str]:
    for name in ("cwd", "root", "exe"):
        try:
            yield str((place / name).readlink())
        except OSError:
            continue
    try:
        descriptors = list((place / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            yield str(descriptor.readlink())
        except OSError:
            continue
