"""Tries to get through a sandbox's wall, for real, and prints what happened.

`python breach.py SHOWN LINK WORKSPACE [NAME...]` is run as a file, behind the wall, as a job's command, by whatever Python (3.8 or later)
is there, without imports of ours. The three folders are mounts of the job: one that is read-only and holds `plan.json`
(probe.py writes it: where on the host are secrets, sockets and a process), the one of the supervisor's sockets, and the
one that a job writes to. The last line printed is `RESULT` and JSON: for each name in `WORDS` either `HELD` or `THROUGH` and
how. What changes something on the host leaves it for probe.py to see, which also cleans up.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

HELD = "held"
THROUGH = "got through: "
UNCLEAR = "unclear: "
RESULT = "breach: "
PREFIX = "moonmind-probe-"
"""Names of files that are planted, and of files that an attempt makes, begin so and with the probe's token."""
PLAN = "plan.json"
WORDS = {
    "read-home": "read a file in the worker's home",
    "read-installation": "read a file beside MoonMind's program",
    "read-run": "read a file of another run",
    "read-system": "read the host's passwords, keys or identity",
    "read-kernel": "read the kernel's memory or log",
    "read-environment": "read the environment of a process of the host",
    "write-home": "write to the worker's home",
    "write-installation": "write beside MoonMind's program",
    "write-run": "write to another run's folder",
    "write-link": "write to the folder of the supervisor's sockets",
    "write-shown": "write to a read-only folder",
    "write-system": "write to /etc, /usr or another folder of the system",
    "change-mounts": "make a read-only folder writable in a namespace of its own",
    "see-processes": "see a process of the host",
    "trace-processes": "trace a process of the host",
    "network-loopback": "connect to a service on the host's loopback",
    "network-host": "connect to another address of the host",
    "network-udp": "send a packet to a service of the host",
    "network-route": "find a way to another machine",
    "network-abstract": "connect to an abstract socket of the host",
    "network-socket": "connect to a socket in a folder of another run",
    "network-raw": "open a raw socket",
    "network-vsock": "reach the host of a virtual machine by its own sockets",
    "docker-socket": "connect to a container engine",
    "capabilities": "hold capabilities, or gain privileges by programs",
    "setuid": "become another user by a program",
    "devices": "open or make a device",
    "kernel-settings": "open a setting of the kernel for writing",
    "keys": "use keys of the worker's login",
    "terminal": "type into the worker's terminal",
    "open-files": "use a file that was left open",
    "signal-processes": "end a process of the host",
}
"""Each attempt by its name, in the order in which they are made: what it is that got through."""

_SECONDS = 1.0
_SEARCHED = 20000
"""So many names are looked through for planted files that are somewhere else than on the host."""
_NOT_SEARCHED = ("/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM = ("/etc", "/usr", "/usr/bin", "/usr/local/bin", "/usr/lib", "/var/lib", "/boot", "/root", "/opt", "/")
_SETTINGS = (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/fs/file-max",
    "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/mtrr", "/proc/acpi/wakeup", "/proc/scsi/scsi",
    "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent",
)  # fmt: skip
_DEVICES = ("mem", "port", "kmem", "kvm", "fuse", "net/tun", "loop-control", "uinput", "vhost-vsock", "mapper/control")
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REMOUNT, _MS_BIND = 32, 4096
_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
_TIOCSTI = 0x5412
_AF_VSOCK = 40
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_GET_KEYRING, _OF_THE_SESSION = 0, -3

_libc = ctypes.CDLL(None, use_errno=True)


def keyring() -> int | None:
    """Return the number of the keys of this process's login; None where there are none, or where nobody may ask."""
    call = _KEYCTL.get(os.uname().machine)
    found = -1 if call is None else int(_libc.syscall(call, _GET_KEYRING, _OF_THE_SESSION, 0))
    return found if found >= 0 else None


class Attempts:
    """All attempts; each method is one, named as in `WORDS`, and returns how it got through, or nothing."""

    def __init__(self, shown: str, link: str, workspace: str) -> None:
        self.shown, self.link, self.workspace = shown, link, workspace
        with open(os.path.join(shown, PLAN), encoding="utf-8") as file:
            self.plan: dict[str, Any] = json.load(file)
        self.token: str = self.plan["token"]
        self.secret: str = self.plan["secret"]
        self.inherited = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
        self.seen = list(self._search())

    def __call__(self, names: list[str]) -> dict[str, str]:
        """Make these attempts."""
        results = {}
        for name in names:
            attempt: Callable[[], str | None] = getattr(self, name.replace("-", "_"))
            try:
                how = attempt()
            except (OSError, EOFError):  # refused: that is what a wall is for
                how = None
            except Exception as error:  # noqa: BLE001 - what went wrong proves nothing, and is told
                results[name] = f"{UNCLEAR}{error!r}"
                continue
            results[name] = HELD if not how else f"{THROUGH}{how}"
        return results

    # --- files

    def _search(self) -> Iterator[str]:
        """Find planted files that are shown under another path than their own."""
        programs = {os.path.basename(path) for path in self.plan["program"]}
        for place in _mounted():
            yield from self._below(place)
        # First what is mounted: it is there on purpose, and not much.
        queue, left = [*_mounted(), "/"], _SEARCHED
        while queue and left > 0:
            folder = queue.pop(0)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        left -= 1
                        if entry.name.startswith(PREFIX + self.token) or entry.name in programs:
                            yield entry.path
                        if entry.is_dir(follow_symlinks=False) and entry.path not in _NOT_SEARCHED:
                            queue.append(entry.path)
            except OSError:
                continue

    def _below(self, place: str) -> Iterator[str]:
        """Find what was planted where a folder of the host, or all of it, is mounted: too deep to come upon it."""
        folders: dict[str, list[str]] = self.plan["folders"]
        planted = [f"{name}/{PREFIX}{self.token}-{kind}" for kind, names in folders.items() for name in names]
        for path in [*planted, *self.plan["program"]]:
            parts = path.strip("/").split("/")
            for first in range(len(parts)):
                shown = os.path.join(place, *parts[first:])
                if os.path.exists(shown):
                    yield shown

    def _places(self, kind: str) -> list[str]:
        """Return where a planted file may be."""
        name = f"{PREFIX}{self.token}-{kind}"
        direct = [os.path.join(folder, name) for folder in self.plan["folders"].get(kind, [])]
        return direct + [path for path in self.seen if os.path.basename(path) == name]

    def _read(self, kind: str) -> str | None:
        for path in self._places(kind):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if self.secret in file.read():
                    return path
        return None

    def _write(self, folders: list[str], kind: str) -> str | None:
        for folder in folders:
            path = os.path.join(folder, f"{PREFIX}{self.token}-{kind}-written")
            with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
                file.write(self.token)
                return path
        return None

    def read_home(self) -> str | None:
        return self._read("home")

    def read_installation(self) -> str | None:
        return next(self._programs(), None)

    def _programs(self) -> Iterator[str]:
        """Yield where MoonMind's own program lies."""
        program: dict[str, str] = self.plan["program"]
        for known, words in program.items():
            for path in [known, *(path for path in self.seen if os.path.basename(path) == os.path.basename(known))]:
                if _digest(path) == words:
                    yield path

    def read_run(self) -> str | None:
        return self._read("run")

    def read_system(self) -> str | None:
        system: dict[str, str] = self.plan["system"]
        return next((path for path, words in system.items() if _digest(path) == words), None)

    def read_kernel(self) -> str | None:
        for path in ("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/kmsg"):
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                return path
        with contextlib.suppress(OSError), open("/proc/kallsyms", encoding="ascii") as file:
            if int(file.readline().split()[0], 16):
                return "/proc/kallsyms"
        return "its log" if _libc.klogctl(3, ctypes.create_string_buffer(64), 64) > 0 else None

    def write_home(self) -> str | None:
        return self._write([os.path.dirname(path) for path in self._places("home")], "home")

    def write_installation(self) -> str | None:
        beside: list[str] = self.plan["folders"]["installation"]
        return self._write(beside + [os.path.dirname(path) for path in self._programs()], "installation")

    def write_run(self) -> str | None:
        return self._write([os.path.dirname(path) for path in self._places("run")], "run")

    def write_link(self) -> str | None:
        return self._write([self.link], "link")

    def write_shown(self) -> str | None:
        return self._write([self.shown], "shown")

    def write_system(self) -> str | None:
        return self._write(list(SYSTEM), "system")

    def change_mounts(self) -> str | None:
        """In a child: in a mount namespace of its own, let a read-only mount be written to."""
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(here)
            ids = (os.geteuid(), os.getegid())
            if _libc.unshare(_CLONE_NEWNS) != 0 and _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) == 0:
                for name, words in (("setgroups", "deny"), ("uid_map", f"0 {ids[0]} 1"), ("gid_map", f"0 {ids[1]} 1")):
                    with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                        file.write(words)
            target = self.shown.encode()
            _libc.mount(target, target, None, _MS_BIND, None)
            _libc.mount(None, target, None, _MS_REMOUNT | _MS_BIND, None)
            os.write(there, (self._write([self.shown], "mounts") or "").encode())
            os._exit(0)
        os.close(there)
        with os.fdopen(here, "rb") as pipe:
            words = pipe.read().decode()
        os.waitpid(child, 0)
        return words or None

    def open_files(self) -> str | None:
        for number in self.inherited:
            with contextlib.suppress(OSError):
                os.fstat(int(number))
                return f"descriptor {number}"
        return None

    # --- processes

    def _processes(self) -> Iterator[int]:
        """Yield where the planted process is visible."""
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
                    if self.plan["decoy"].encode() in file.read():
                        yield int(name)

    def see_processes(self) -> str | None:
        return next((f"process {pid}" for pid in self._processes()), None)

    def read_environment(self) -> str | None:
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    if self.secret.encode() in file.read():
                        return f"process {name}"
        return None

    def trace_processes(self) -> str | None:
        for pid in self._processes():
            if _libc.ptrace(_PTRACE_SEIZE, pid, None, None) == 0:
                _libc.ptrace(_PTRACE_DETACH, pid, None, None)
                return f"process {pid}"
        return None

    def signal_processes(self) -> str | None:
        """Send a signal to whatever has the planted process's number, unless it is one of this job's."""
        pid = self.plan["pid"]
        if os.path.exists(f"/proc/{pid}") and pid not in self._processes():
            return None
        os.kill(pid, self.plan["signal"])
        return f"process {pid}"

    # --- network

    def _greeted(self, family: int, address: Any) -> bool:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as caller:
            caller.settimeout(_SECONDS)
            caller.connect(address)
            return self.token.encode() in caller.recv(1024)
        return False

    def network_loopback(self) -> str | None:
        for host, port in self.plan["tcp"]:
            if self._greeted(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)):
                return f"{host}:{port}"
        return None

    def network_host(self) -> str | None:
        """Ask another address of the host: to be refused by it is to have reached it."""
        addresses: list[str] = self.plan["addresses"]
        for host in addresses:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as caller:
                caller.settimeout(_SECONDS)
                answer = caller.connect_ex((host, 9))
                if answer in (0, errno.ECONNREFUSED, errno.ECONNRESET):
                    return host
        return None

    def network_udp(self) -> str | None:
        host, port = self.plan["udp"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.settimeout(_SECONDS / 4)
            caller.connect((host, port))
            caller.send(self.token.encode())
            return f"{host}:{port}" if caller.recv(64) == self.token.encode() else None

    def network_route(self) -> str | None:
        """Connect datagram sockets, which sends nothing, and works where there is a route."""
        for family, host in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as caller:
                caller.connect((host, 53))
                return host
        return None

    def network_abstract(self) -> str | None:
        name: str = self.plan["abstract"]
        return f"@{name}" if self._greeted(socket.AF_UNIX, f"\0{name}") else None

    def network_socket(self) -> str | None:
        for path in self._places("socket"):
            with _short(path) as address:
                if self._greeted(socket.AF_UNIX, address):
                    return path
        return None

    def network_raw(self) -> str | None:
        for family, kind, protocol, words in (
            (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, "to the network"),
            (socket.AF_PACKET, socket.SOCK_RAW, 3, "to an interface"),
        ):
            with contextlib.suppress(OSError), socket.socket(family, kind, protocol):
                return words
        return None

    def network_vsock(self) -> str | None:
        if not hasattr(socket, "AF_VSOCK"):  # this Python cannot name an address: then to have a socket says enough
            socket.socket(_AF_VSOCK, socket.SOCK_STREAM).close()
            return "the machine's host"
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            answer = caller.connect_ex((socket.VMADDR_CID_HOST, 0x7FFF0000 + os.getpid()))
        return "the machine's host" if answer in (0, errno.EINPROGRESS, errno.ECONNRESET) else None

    def docker_socket(self) -> str | None:
        engines: list[str] = self.plan["engines"]
        for path in engines + self._places("engine"):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as caller, _short(path) as address:
                caller.settimeout(_SECONDS)
                caller.connect(address)
                return path
        return None

    # --- privileges

    def capabilities(self) -> str | None:
        found = _status("self")
        for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
            if int(found[name], 16):
                return f"{name} {found[name].lstrip('0')}"
        return None if found["NoNewPrivs"] == "1" else "NoNewPrivs 0"

    def setuid(self) -> str | None:
        """Start programs that belong to another user and are to be run as that user; they wait, and are looked at."""
        for path in (os.path.join(self.shown, "setuid"), "/usr/bin/su", "/bin/su"):
            if not os.path.exists(path) or not os.stat(path).st_mode & stat.S_ISUID:
                continue
            with contextlib.suppress(OSError):
                started = subprocess.Popen(
                    [path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}
                )
                try:
                    # Popen returns a moment before the kernel has changed the process.
                    until = time.monotonic() + _SECONDS
                    while (found := _status(str(started.pid)))["Name"] != os.path.basename(path):
                        if time.monotonic() > until:
                            break
                        time.sleep(0.001)
                    user = found["Uid"].split()[1]
                finally:
                    started.kill()
                    started.communicate()
                if int(user) != os.getuid():
                    return f"{path} runs as {user}"
        return None

    def devices(self) -> str | None:
        for folder, _, names in os.walk("/dev"):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    known = os.path.relpath(path, "/dev") in _DEVICES
                    if known or stat.S_ISBLK(os.stat(path).st_mode):
                        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                        return path
        disk = self.plan["disk"]
        for folder in (self.workspace, "/tmp", "/dev/shm"):  # noqa: S108 - wherever a job may write
            path = os.path.join(folder, f"{PREFIX}{self.token}-device-written")
            with contextlib.suppress(OSError):
                os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(*disk))
                try:
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                finally:
                    os.unlink(path)
                return f"a disk made in {folder}"
        return None

    def kernel_settings(self) -> str | None:
        for path in _SETTINGS:
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_WRONLY))  # nothing is written
                return path
        return None

    def keys(self) -> str | None:
        found = keyring()
        known = self.plan["keyring"]
        return f"keyring {found}" if found is not None and known in (None, found) else None

    def terminal(self) -> str | None:
        handle = os.open("/dev/tty", os.O_RDWR)
        try:
            with contextlib.suppress(OSError):
                fcntl.ioctl(handle, _TIOCSTI, b" ")
                return "it types"
            return "it writes"
        finally:
            os.close(handle)


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """Name a socket by way of a descriptor: its address is short, and a path may be long."""
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    except OSError:
        yield path
        return
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def _mounted() -> Iterator[str]:
    """Yield the folders at which something is mounted, other than the system's."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            place = line.split(" ")[4].encode("latin-1", "ignore").decode("unicode_escape")
            if place != "/" and not any(place == folder or place.startswith(folder + "/") for folder in _NOT_SEARCHED):
                yield place


def _digest(path: str) -> str:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
    return ""


def _status(process: str) -> dict[str, str]:
    with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


if __name__ == "__main__":
    sys.stdout.write(f"{RESULT}{json.dumps(Attempts(*sys.argv[1:4])(sys.argv[4:] or list(WORDS)))}\n")
    sys.stdout.flush()
