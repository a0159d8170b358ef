"""Starts an agent so that all of its processes can be ended, by the best means that this host has.

| kind | what ends with the supervisor, however it dies | what escapes |
|---|---|---|
| pid namespace | every process, at once: the kernel does it | nothing that the agent started itself |
| cgroup | every process: a keeper does it, else the next look at the job | what moved itself to another group |
| traces | every descendant: a keeper does it, else the next look finds those that carry a trace | what killed keeper and supervisor and shed all traces |

What the agent asks another service of the host to start (systemd, cron, a container engine) is not its descendant.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from moonmind.adapters.supervisor import cgroups, keeper, kernel

_SECONDS = 20.0
"""How long a keeper may take to bring the agent's process up."""


class Kind(StrEnum):
    """The means by which a job's processes are held together."""

    NAMESPACE = keeper.NAMESPACE
    CGROUP = keeper.CGROUP
    TRACES = keeper.TRACES


PROMISES: Mapping[Kind, str] = {
    Kind.NAMESPACE: "pid namespace: when an agent ends, so do all processes that it started, even if its supervisor is killed",
    Kind.CGROUP: "cgroup: when an agent ends, so do all processes that it started, unless one moves to another control group",
    Kind.TRACES: "traces: when an agent ends, so do all processes that it started, unless it kills its supervisor and they leave no trace",
}


class Refused(Exception):
    """The host does not allow this kind."""


@dataclass(frozen=True, slots=True)
class Contained:
    """An agent that runs. Its keeper is our child and ends right after it."""

    kind: Kind
    keeper: "subprocess.Popen[bytes]"
    agent: kernel.Process
    """In the numbering of this process's pid namespace."""
    group: str
    """The control group's folder; empty for other kinds."""
    _pidfd: int
    _status: int
    _lifeline: int

    def signal(self, number: int) -> None:
        """Send the agent a signal, unless it is gone."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def exit_code(self) -> int:
        """Return how the agent ended, negative for a signal, once the keeper has ended."""
        # Nothing was noted where the keeper was killed; its agent then was, too.
        noted = os.read(self._status, keeper.STATUS.size)
        return os.waitstatus_to_exitcode(keeper.STATUS.unpack(noted)[0]) if noted else -signal.SIGKILL

    def kill_group(self) -> bool:
        """Kill what is left in the control group, if there is one; True when nothing is left."""
        return not self.group or cgroups.emptied(self.group)

    def close(self) -> None:
        """Let go of an agent that has ended; one that has not ends now."""
        for descriptor in (self._pidfd, self._status, self._lifeline):
            os.close(descriptor)


def contain(
    argv: Sequence[str],
    environment: Mapping[str, str],
    cwd: str,
    *,
    mark: str,
    kinds: Sequence[Kind] = tuple(Kind),
    merged: bool = False,
) -> Contained:
    """Start a command with pipes, by the first of the kinds that works here. Raises OSError when it cannot be started.

    `mark` names the job: a control group that is left behind is found by it. `merged`: standard error goes where
    standard output goes, so that their order is kept.
    """
    for kind in kinds:
        try:
            return _start(kind, argv, environment, cwd, mark, merged=merged)
        except Refused as refused:
            reason = str(refused)
    raise OSError(f"no process can be started: {reason}")


def kind_here() -> Kind:
    """Find out which kind this host allows. Raises OSError where not even a process can be started."""
    started = contain(["/bin/true"], {"PATH": os.defpath}, "/", mark=f"probe/{os.getpid()}")
    started.keeper.communicate(timeout=_SECONDS)
    started.kill_group()
    started.close()
    return started.kind


def _start(
    kind: Kind, argv: Sequence[str], environment: Mapping[str, str], cwd: str, mark: str, *, merged: bool
) -> Contained:
    group = cgroups.make(mark) if kind is Kind.CGROUP else ""
    if group is None:
        raise Refused("no control group can be made")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.settimeout(_SECONDS)
    status, status_end = os.pipe()
    lifeline_end, lifeline = os.pipe()
    numbers = f"{theirs.fileno()},{status_end},{lifeline_end}"
    language = "set" if "LC_CTYPE" in environment else "unset"
    command = [sys.executable, "-I", "-S", keeper.__file__, kind.value, str(os.getpid()), numbers, language, group]
    process: subprocess.Popen[bytes] | None = None
    try:
        with ours:
            try:
                process = subprocess.Popen(
                    [*command, *argv],
                    env=dict(environment),
                    cwd=cwd,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                    bufsize=0,
                    start_new_session=True,
                    pass_fds=(theirs.fileno(), status_end, lifeline_end),
                )
            finally:
                theirs.close()
                os.close(status_end)
                os.close(lifeline_end)
            pid, words = _heard(ours)
            if words != keeper.HERE:
                raise Refused(words.removeprefix(keeper.REFUSED).decode("utf-8", "replace") or "its keeper died")
            agent, pidfd = kernel.identify(pid), os.pidfd_open(pid)
            ours.send(keeper.GO)
            _, words = _heard(ours)
            if words:
                number = int(words.removeprefix(keeper.FAILED))
                raise OSError(number, os.strerror(number), argv[0])
        return Contained(kind, process, agent, group, pidfd, status, lifeline)
    except BaseException as error:
        os.close(lifeline)
        os.close(status)
        if process is not None:
            process.kill()
            process.communicate()
        if group:
            cgroups.emptied(group)
        if isinstance(error, ProcessLookupError):
            raise Refused("the agent's process died at once") from error
        raise


def _heard(control: socket.socket) -> tuple[int, bytes]:
    """Return the sender's pid in our numbering, which the kernel vouches for, and its words; none when all hung up."""
    words, notes, _, _ = control.recvmsg(1024, socket.CMSG_SPACE(12))
    pid = 0
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid = struct.unpack("3i", data[:12])[0]
    return pid, words
