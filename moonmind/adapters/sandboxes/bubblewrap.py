"""The sandbox `bubblewrap`: namespaces in which only the job's folders and the system's programs exist, and no network."""

import contextlib
import hashlib
import json
import os
import pwd
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import moonmind
from moonmind.adapters.sandboxes import (
    bubblewrap_advice,
    bubblewrap_start,
    overlay_trial,
    probe,
    syscall_filter,
    system_files,
)
from moonmind.adapters.sandboxes.host_programs import TOOLS, host_programs
from moonmind.adapters.sandboxes.mount_guards import RESERVED, in_order, leads_astray, refused, require_upper, unfit
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.sandboxes.tool_folders import tool_folders
from moonmind.errors import SandboxFailed, SandboxMissing
from moonmind.ports.check import Check
from moonmind.ports.sandbox import HOME, PATH, PYTHON, TEMPORARY, BoxedCommand, Mount, SandboxKind, Wrapped

_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
_WHOLE = (
    "/", "/boot", "/dev", "/etc", "/home", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/var",
    "/tmp", "/var/cache", "/var/lib", "/var/log", "/var/tmp",  # noqa: S108 - other programs' files, not ours
)  # fmt: skip
"""Folders of the host that nothing may show as a whole."""
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the job's own
_PRLIMIT = "/usr/bin/prlimit"
"""Sets a limit behind the wall, where only the job's own processes count; from outside, all of the worker's would."""
_INSTALL = "Install bubblewrap (`apt install bubblewrap`), or a Codex that brings one along."


class Bubblewrap:
    """Builds the wall with bwrap, as root or as any other user; the job keeps the worker's uid and gid, without rights."""

    kind = SandboxKind.BUBBLEWRAP
    user: tuple[int, int] | None = None

    def __init__(self, options: SandboxOptions, bwrap: str | None = None) -> None:
        self.options = options
        self._given = bwrap

    def overlays(self) -> bool:
        """Return True if a mount may have an `upper` here: an overlay was tried for real, in the state folder.

        Raises SandboxFailed where no wall can be built, and OSError where nothing can be tried now.
        """
        bwrap = self._bwrap()
        stat = Path(bwrap).stat()
        return self._overlays(bwrap, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    @lru_cache(maxsize=8)  # noqa: B019 - there is one sandbox of a kind in a process
    def _overlays(self, bwrap: str, *identity: int) -> bool:
        return _knows(bwrap, *identity) >= {"--overlay", "--overlay-src"} and overlay_trial.works(
            self, self.options.state_folder
        )

    def wrap(self, job: BoxedCommand) -> Wrapped:
        """Return the command behind the wall. Raises SandboxFailed where the wall cannot be built on this host."""
        if self.options.state_folder.resolve().is_relative_to("/usr"):
            raise SandboxFailed(
                f"jobs see /usr, and so the state folder {self.options.state_folder}",
                remediation="Set MOONMIND_STATE_DIR to a folder outside of /usr, then restart.",
            )
        bwrap = self._bwrap()
        python, shown = self._interpreter()
        targets = [PurePosixPath(mount.target) for mount in job.mounts]
        arguments = [*_files(), "--", *_NAMESPACES, "--unshare-cgroup-try", "--hostname", system_files.HOSTNAME]
        arguments += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
        arguments += [*system_files.system(), *system_files.processes(), "--dev", "/dev"]
        arguments += self._memory(_SHARED_MEMORY)
        for folder in (TEMPORARY, HOME):
            if not any(PurePosixPath(folder).is_relative_to(target) for target in targets):
                arguments += self._memory(folder)
        for path in [*shown, *self.options.read]:
            arguments += self._read_only(path)
        for mount in in_order(job.mounts):
            arguments += self._mounted(mount, job.mounts)
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", job.cwd, "--"]
        command = [python if part == PYTHON else part for part in job.command]
        if _counts_processes():
            command = [_PRLIMIT, f"--nproc={self._processes()}", "--", *command]
        program = [sys.executable, "-I", "-S", bubblewrap_start.__file__]
        searched = ":".join((job.environment.get("PATH", PATH), *tool_folders(self.options.read)))
        job = replace(job, environment={**job.environment, "PATH": searched})
        return Wrapped((*program, bwrap, *arguments, *command), _prefixed(job))

    def end(self, mark: str) -> None:
        """Do nothing: what is behind the wall is in a pid namespace, and ends with bwrap, at the latest with its parent.

        Both are the supervisor's descendants, and whoever finds a supervisor dead ends those.
        """

    def marks(self) -> tuple[str, ...]:
        """Return nothing: no job outlives its supervisor."""
        return ()

    def foundation(self) -> str:
        """Return a digest of the host's programs that jobs see: what was built by them may not work with others."""
        read = [(str(path), os.path.realpath(path)) for path in self.options.read]
        folders = (*PATH.split(":"), *tool_folders(self.options.read))
        shown = (Path("/usr"), *(Path(real) for _, real in read))
        terms = [read, host_programs(folders, shown)]
        return hashlib.sha256(json.dumps(terms).encode()).hexdigest()

    def check(self) -> tuple[Check, ...]:
        """Probe the wall: try each breach for real and name what got through. Answers are remembered while nothing changes."""
        try:
            facts = {"bwrap": self._bwrap()}
        except SandboxFailed as failure:
            return (probe.refusal(failure),)
        return (
            probe.check(
                self, self.options, self._identity, holds=self._holds(), fix=bubblewrap_advice.advice, facts=facts
            ),
        )

    def _identity(self) -> tuple[object, ...]:
        """Return what the wall is built of: programs and their files. Raises SandboxFailed."""
        programs = (Path(self._bwrap()), Path(self._interpreter()[0]), Path(sys.executable))
        return tuple(
            (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns) for path in programs for stat in [path.stat()]
        )

    def _holds(self) -> str:
        """Return in words which limits hold, and which of the operator's tools a job does not have."""
        limits, free = [f"{self.options.memory / (1 << 30):g} GiB in each folder in memory"], ["memory", "cores"]
        if _counts_processes():
            limits.append(f"{self._processes()} processes")
        else:
            free.insert(1, "processes")
        words = f"Limits of a job: {', '.join(limits)}; none for {', '.join(free[:-1])} and {free[-1]}."
        path = self.options.environment.get("PATH", os.defpath)
        there = (*PATH.split(":"), *tool_folders(self.options.read))
        if missing := _missing(path, there, self.options.read, *map(_changed, sorted({*path.split(":"), *there}))):
            words += f" Jobs do not have what is installed outside of /usr: {', '.join(missing)}."
        return words

    def _processes(self) -> int:
        """Return how many processes a job may have: no limit can be raised."""
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        return self.options.processes if most == resource.RLIM_INFINITY else min(self.options.processes, most)

    # --- what there is

    def _bwrap(self) -> str:
        """Return the bwrap to use: the first, or a later one by which overlays work. Raises SandboxFailed."""
        if self._given is not None:
            return self._given
        found = [shutil.which("bwrap", path=self.options.environment.get("PATH", os.defpath))]
        if self.options.codex_package is not None:
            found += map(str, sorted(self.options.codex_package.rglob("bwrap")))
        old, usable = [], []
        for program in filter(None, found):
            path = Path(program).resolve()
            if not os.access(path, os.X_OK):
                continue
            stat = path.stat()
            if _is_usable(str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns):
                usable.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns))
            else:
                old.append(program)
        if usable:
            try:
                return self._best(tuple(usable))
            except OSError:  # nothing can be tried now; it is when this is asked for again
                return usable[0][0]
        if old:
            raise SandboxMissing(
                f"{', '.join(old)} cannot be used: bubblewrap has to be version 0.5 or later", remediation=_INSTALL
            )
        raise SandboxMissing("there is no bwrap on PATH, and none in a Codex package", remediation=_INSTALL)

    @lru_cache(maxsize=8)  # noqa: B019 - there is one sandbox of a kind in a process
    def _best(self, usable: tuple[tuple[str, int, int, int], ...]) -> str:
        """Return the first by which overlays work: without, what is lent to a job is copied. Else the first."""
        for bwrap, *_ in usable:
            if len(usable) == 1 or Bubblewrap(self.options, bwrap).overlays():
                return bwrap
        return usable[0][0]

    def _interpreter(self) -> tuple[str, tuple[Path, ...]]:
        """Return a Python that is behind the wall, and what has to be shown for it. Raises SandboxFailed."""
        prefix = Path(sys.base_prefix).resolve()
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        own = prefix / "bin" / f"python{version}"
        if own.is_file() and prefix.is_relative_to("/usr"):
            return str(own), ()
        if own.is_file() and not self._opened_by(prefix):
            return str(own), (prefix,)
        for system in ("/usr/bin/python3", "/usr/local/bin/python3"):
            if Path(system).is_file() and Path(system).resolve().is_relative_to("/usr"):
                return system, ()
        raise SandboxFailed(
            f"no Python can be shown to a job: {prefix} holds files that no job may read, and there is none in /usr",
            remediation="Install python3 (`apt install python3`), or run MoonMind in a virtual environment of its own.",
        )

    # --- what is shown

    def _read_only(self, path: Path) -> list[str]:
        """Show a file or folder of the host under its own path. Raises SandboxFailed for one that may not be shown."""
        why = unfit(str(path)) if path.is_absolute() else "is not absolute"
        source = path if why else _resolved(path)
        inside = [place for place in self._ours() if source.is_relative_to(place)]
        why = why or self._opened_by(source) or (f"is in {inside[0]}, which is MoonMind's own" if inside else "")
        if not why and not (source.is_dir() or source.is_file()):
            why = "is neither a file nor a folder"
        if why:
            raise SandboxFailed(
                f"{path} cannot be shown to jobs: it {why}",
                remediation="Name the folders that jobs need in MOONMIND_SANDBOX_READ, and none that holds more, then restart.",
            )
        return ["--ro-bind", str(source), str(path)]

    def _mounted(self, mount: Mount, mounts: tuple[Mount, ...]) -> list[str]:
        """Mount what the job itself brings. Raises SandboxFailed for a source or target that cannot be meant."""
        source = _resolved(mount.source)
        state = self.options.state_folder
        inside = state.resolve() in source.parents
        why = unfit(mount.target) or ("" if inside else self._opened_by(source))
        if not why and mount.source.is_relative_to(state) and not inside:
            why = f"leads out of {state}, by a link"
        # bwrap would follow it, and make folders where it leads, outside of the wall.
        why = why or leads_astray(mount, mounts)
        if why:
            raise refused(mount, why)
        if mount.upper is not None:
            upper, work = require_upper(mount, state)
            return ["--overlay-src", str(source), "--overlay", str(upper), str(work), mount.target]
        return ["--bind" if mount.writable else "--ro-bind", str(source), mount.target]

    def _opened_by(self, source: Path) -> str:
        """Return what a resolved path would open that no job may see; empty where it opens nothing."""
        if any(source == Path(folder) or Path(folder).is_relative_to(source) for folder in _WHOLE):
            return "would open a whole folder of this system"
        if any(source.is_relative_to(folder) for folder in (*RESERVED, "/etc", "/run")):
            return "is part of this system"
        if source.parent == Path("/home"):
            return "is a home"
        for place in (*self._ours(), *self._homes()):
            if place.is_relative_to(source):
                return f"would open {place}"
        return ""

    def _ours(self) -> list[Path]:
        """List what is MoonMind's own: its state, its program with what may lie beside it, its environment."""
        return [
            self.options.state_folder.resolve(),
            Path(moonmind.__file__).resolve().parents[1],
            *([Path(sys.prefix).resolve()] if sys.prefix != sys.base_prefix else []),
        ]

    def _homes(self) -> list[Path]:
        """List the worker's homes: by its environment, and by its account, where it has one of its own."""
        homes = [self.options.environment.get("HOME", "")]
        with contextlib.suppress(KeyError):
            homes.append(pwd.getpwuid(os.getuid()).pw_dir)
        return [Path(home).resolve() for home in homes if home.startswith("/") and home != "/"]

    def _memory(self, folder: str) -> list[str]:
        """Mount a folder in memory, not larger than what a job may use."""
        return ["--size", str(self.options.memory), "--tmpfs", folder]


def _files() -> list[str]:
    """Return the options whose files the start opens: settings of the system, those made for a job, the filter."""
    options = []
    for path in system_files.copied():
        options += ["--perms", "0444", "--file", f"{bubblewrap_start.FILE}{path}", str(path)]
    for name, text in system_files.accounts(os.getuid(), os.getgid(), HOME).items():
        options += ["--perms", "0444", "--file", _text(text.encode()), name]
    program = syscall_filter.program(os.uname().machine)
    return options if program is None else [*options, "--seccomp", _text(program)]


def _text(content: bytes) -> str:
    return f"{bubblewrap_start.TEXT}{content.hex()}"


@lru_cache(maxsize=8)
def _missing(searched: str, there: tuple[str, ...], read: tuple[Path, ...], *_changed: int) -> tuple[str, ...]:
    """Return the well-known tools that are on a search path, and that jobs do not find. Remembered while nothing changes."""
    shown = (Path("/usr"), *(path.resolve() for path in read))
    missing = []
    for tool in TOOLS:
        found = shutil.which(tool, path=":".join(there))
        visible = found is not None and any(Path(found).resolve().is_relative_to(folder) for folder in shown)
        if not visible and shutil.which(tool, path=searched) is not None:
            missing.append(tool)
    return tuple(missing)


def _changed(folder: str) -> int:
    """Return when something was last installed to a folder, or removed from it."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _counts_processes() -> bool:
    """Return True if the kernel can hold a job to a number of processes: root's it does not count."""
    return os.getuid() != 0 and os.access(_PRLIMIT, os.X_OK)


def _resolved(source: Path) -> Path:
    try:
        return source.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a link that leads to itself"
        raise SandboxFailed(f"{source} cannot be shown to a job: {reason}") from error


def _prefixed(job: BoxedCommand) -> dict[str, str]:
    for name in job.environment:
        if not name or "=" in name or "\0" in name:
            raise SandboxFailed(f"{name!r} cannot be the name of a variable")
    return {f"{bubblewrap_start.PREFIX}{name}": value for name, value in job.environment.items()}


def _is_usable(program: str, *identity: int) -> bool:
    """Return True if this bwrap knows all that is asked of it."""
    return _knows(program, *identity) >= {
        "--size", "--perms", "--as-pid-1", "--args", "--file", "--seccomp", "--cap-drop",
    }  # fmt: skip


@lru_cache(maxsize=8)
def _knows(program: str, *_identity: int) -> frozenset[str]:
    """Return the options that a bwrap knows; none of what is not a program of this machine, or not bwrap."""
    try:
        done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10, env={}, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return frozenset()
    return frozenset(re.findall(r"--[\w-]+", done.stdout + done.stderr))
