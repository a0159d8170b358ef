"""Stands between a supervisor and its agent, and holds together what the agent starts.

`python keeper.py KIND SUPERVISOR CONTROL,STATUS,LIFELINE LC_CTYPE GROUP COMMAND...` becomes a process, or two, that stay
with the agent: a program of its own, so that nothing of the supervisor's memory, which holds a key, comes near the agent.

namespace  The keeper's child is the first process of a new pid namespace, with a /proc that fits. When the agent ends, or
           the keeper, or the supervisor, it ends; and the kernel then kills whatever is left in the namespace.
cgroup     The agent joins a control group before it begins, and all that it starts are in it.
traces     The keeper adopts the agent's orphans, and kills them all when the supervisor is gone.

CONTROL is a socket on which the agent's process says that it is there and hears when to begin, or on which the reason is
told why that cannot be. STATUS takes the agent's wait status. LIFELINE hangs up when the supervisor dies.
"""

import errno
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # run as a file, in an environment that is the agent's

from moonmind.adapters.supervisor import kernel

NAMESPACE, CGROUP, TRACES = "namespace", "cgroup", "traces"
REFUSED, FAILED, HERE = b"refused ", b"failed ", b"here"
GO = b"go"
STATUS = struct.Struct("i")
GROUP_GONE = (errno.ENOENT, errno.ENODEV)
"""What the kernel says of a control group that was removed: before its files are opened, and after."""
_LOOK_SECONDS = 0.5
_KILL_SECONDS = 60.0


def main(arguments: Sequence[str]) -> NoReturn:
    """Start the command and stay with it."""
    kind, supervisor, numbers, language, group, *command = arguments
    control, status, lifeline = (int(number) for number in numbers.split(","))
    for descriptor in (control, status, lifeline):
        os.set_inheritable(descriptor, False)
    if language == "unset":
        os.environ.pop("LC_CTYPE", None)  # Python sets it by itself in a plain environment; the agent's is as ordered
    try:
        if kind == NAMESPACE:
            _in_namespace(int(supervisor), control, status, command)
        _with_orphans(group, control, status, lifeline, command)
    except OSError as error:
        os.write(control, REFUSED + str(error).encode("utf-8", "replace"))
        os._exit(1)


def _in_namespace(supervisor: int, control: int, status: int, command: list[str]) -> NoReturn:
    shows_processes = kernel.sees_processes()
    kernel.new_namespace(mounts=shows_processes)
    # After the namespace: new credentials cancel the request.
    kernel.die_with(supervisor)
    here, there = os.pipe()
    if (first := os.fork()) == 0:
        os.close(there)
        kernel.die_with_parent()
        if select.select([here], [], [], 0)[0]:
            os._exit(1)  # the keeper died before the request was made
        if shows_processes:
            try:
                kernel.mount_proc()
            except OSError as error:
                os.write(control, REFUSED + f"/proc: {error}".encode())
                os._exit(1)
        if (agent := os.fork()) == 0:
            _become(control, command, lambda: None)
        _leave_standard_files(control)
        while True:
            pid, code = os.wait()
            if pid == agent:
                os.write(status, STATUS.pack(code))
                os._exit(0)
    os.close(here)
    os.close(status)
    _leave_standard_files(control)
    os.waitpid(first, 0)
    os._exit(0)


def _with_orphans(group: str, control: int, status: int, lifeline: int, command: list[str]) -> NoReturn:
    kernel.adopt_orphans()
    keeper = os.getpid()
    if (agent := os.fork()) == 0:
        kernel.die_with(keeper)
        _become(control, command, lambda: join_group(group) if group else None)
    _leave_standard_files(control)
    done = os.pidfd_open(agent)
    watched = select.poll()
    watched.register(done, select.POLLIN)
    watched.register(lifeline, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in watched.poll(_LOOK_SECONDS * 1000)}
        if lifeline in ready:
            _end_all(group)
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                os._exit(0)
            if pid == agent:
                os.write(status, STATUS.pack(code))
                os._exit(0)  # what it left is the supervisor's to end
            if pid == 0:
                break


def _end_all(group: str) -> NoReturn:
    """Kill every descendant: the supervisor is gone, and no other process will."""
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        if group:
            kill_group(group)
        left = kernel.descendants(os.getpid())
        if not left or time.monotonic() > deadline:
            os._exit(0)
        for process in left:
            process.signal(signal.SIGKILL)
        time.sleep(0.005)


def _become(control: int, command: list[str], prepare: Callable[[], None]) -> NoReturn:
    """Be the agent, once the supervisor knows about this process."""
    try:
        prepare()
    except OSError as error:
        os.write(control, REFUSED + str(error).encode("utf-8", "replace"))
        os._exit(1)
    # Its own session, for the terminal's sake; it is not used for killing, since commands make their own.
    os.setsid()
    os.write(control, HERE)
    if os.read(control, 16) != GO:
        os._exit(1)
    # What is ignored stays so: by Python the last two, by `nohup` and background shells the others, and SIGINT is how an
    # agent is asked to stop.
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(control, FAILED + str(error.errno).encode())
    os._exit(127)


def _leave_standard_files(control: int) -> None:
    """Let go of the agent's pipes, which have to end with it, and of what only it needs."""
    os.close(control)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def join_group(group: str) -> None:
    """Move this process into a control group. Raises OSError."""
    Path(group, "cgroup.procs").write_text("0")


def kill_group(group: str) -> None:
    """Kill all processes of a control group, if it is there."""
    try:
        Path(group, "cgroup.kill").write_text("1")
    except OSError as error:
        if error.errno not in GROUP_GONE:
            raise


if __name__ == "__main__":
    main(sys.argv[1:])
