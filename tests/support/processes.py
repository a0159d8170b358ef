"""Real processes of the product, each ended by its own id."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child in a process group of its own, with its output in a file; root may let it be another user's."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, user: int | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                list(argv), env=dict(env), cwd=cwd, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True, user=user, group=user, extra_groups=None if user is None else [],
            )  # fmt: skip
        self.pid = self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def code(self) -> int | None:
        return self._child.poll()

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """End it and its group as a power cut would."""
        if self.alive:
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait(PATIENCE)

    def terminate(self, seconds: float = PATIENCE) -> int:
        """Ask it to end, as an operator does; kill what does not."""
        if self.alive:
            self._child.terminate()
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds} s:\n{self.text()[-4000:]}") from None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, and nobody else."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        return self._child.wait(seconds)


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of a process: with the id it names one process permanently."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def alive(pid: int) -> bool:
    """Return True if a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def inner_pid(pid: int) -> str:
    """Return a process's number in its own pid namespace; empty when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.split()[-1] for line in lines if line.startswith("NSpid:")), "")


def each_process() -> Iterator[Path]:
    """Yield the folder of each process in /proc; whoever reads there has to expect that it has ended."""
    # Not by a glob, which asks of each file whether it is there, and fails for one whose process ends just then.
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            yield place


def group_of(pid: int) -> list[int]:
    """List the processes of a group that run."""
    found = []
    for place in each_process():
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(fields[2]) == pid and fields[0] not in {"Z", "X"}:
            found.append(int(place.name))
    return found


def processes_of(text: str) -> list[str]:
    """List the command lines of the processes that run and have this text in their environment or working directory."""
    found = []
    for place in each_process():
        try:
            around = (place / "environ").read_bytes() + os.fsencode((place / "cwd").readlink())
            command = (place / "cmdline").read_text("utf-8", "replace").replace("\0", " ").strip()
        except OSError:
            continue  # it ended while we looked, or is not ours
        if text.encode() in around and int(place.name) != os.getpid():
            found.append(f"{place.name}: {command}")
    return found


def marked_with(text: str) -> list[int]:
    """List the processes that run and have this text in the mark of their job, behind a wall or before it."""
    found = []
    for place in each_process():
        try:
            variables = (place / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked, or is not ours
        marks = [each for each in variables if each.startswith(b"MOONMIND_JOB=")]
        if any(text.encode() in mark for mark in marks) and alive(int(place.name)):
            found.append(int(place.name))
    return found


def argv_with(text: str) -> list[str]:
    """List the processes that have this text in their arguments."""
    found = []
    for place in each_process():
        try:
            words = (place / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if text.encode() in words:
            found.append(place.name)
    return found


def waiting_in(pipe: int) -> int:
    """Return how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
