"""The first process behind a sandbox's wall: starts the job's command there, and is its only way out.

`python entry.py FOLDER PORT COMMAND...` is run as a file by whatever Python (3.8 or later) is behind the wall, without
imports of ours. FOLDER holds two sockets of the supervisor (link.py):

life.sock   Taken first, and once. What the supervisor sends are signals for the command, one byte each; when it hangs up,
            however it died, everything here ends, since this is the first process of a pid namespace. It is sent `here`
            once the command runs, and at the end `exit N`, the command's wait status.
model.sock  Each connection to 127.0.0.1:PORT is passed on to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

LIFE, MODEL = "life.sock", "model.sock"
HERE = b"here\n"
EXIT = b"exit "
CANNOT = 125
"""Exit code where there is no wall, or no supervisor behind the socket."""
_MEMORY = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""What a container sees of its own limit: version 2 of cgroups, and version 1."""
_CHUNK = 65536
_SET_DUMPABLE = 4
_PAUSE_SECONDS = 0.05


def main(folder: Path, port: int, command: list[str]) -> NoReturn:
    """Start the command and stay with it to its end."""
    if os.getpid() != 1:
        sys.exit(_say("this program has to be the first process of a pid namespace"))
    try:
        _close_to_others()
    except OSError as error:
        sys.exit(_say(f"the first process cannot be closed to those that follow: {error}"))
    life = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    ends = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        life.connect(str(folder / LIFE))
        ends.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ends.bind(("127.0.0.1", port))
        ends.listen(64)
    except OSError as error:
        sys.exit(_say(f"no way to the supervisor: {error}"))
    child = _start(command)  # before there are threads
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda sent, _: _tell(child, sent))
    life.sendall(HERE)
    threading.Thread(target=_listen, args=(life, child), daemon=True).start()
    threading.Thread(target=_serve, args=(ends, str(folder / MODEL)), daemon=True).start()
    status = _wait_for(child)
    if _out_of_memory():
        _say("a process was killed, since all of them together reached the memory limit of the job")
    with contextlib.suppress(OSError):  # a supervisor that is gone need not be told
        life.sendall(EXIT + b"%d\n" % status)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _close_to_others() -> None:
    """Keep the command's processes, which have the same user, out of this one: its memory, variables, sockets and pipes.

    What is executed is open again, as every program is.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE")


def _say(words: str) -> int:
    sys.stderr.write(f"sandbox: {words}\n")
    sys.stderr.flush()
    return CANNOT


def _start(command: list[str]) -> int:
    """Start the command in a session of its own, with signals as a program expects them; return its pid."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        _say(f"{command[0]} cannot be started: {error.strerror}")
    os._exit(127)


def _wait_for(child: int) -> int:
    """Reap whatever ends here until the command has ended; return its wait status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def _out_of_memory() -> bool:
    """Return True if the limit of a container had a process killed."""
    for place in _MEMORY:
        with contextlib.suppress(OSError, ValueError), Path(place).open(encoding="ascii") as file:
            return any(int(line.split()[1]) > 0 for line in file if line.startswith("oom_kill "))
    return False


def _listen(life: socket.socket, child: int) -> NoReturn:
    """Pass the supervisor's signals on; end everything when it has hung up."""
    while True:
        try:
            sent = life.recv(1)
        except OSError:
            sent = b""
        if not sent:
            os._exit(128 + signal.SIGKILL)
        _tell(child, sent[0])


def _tell(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _serve(ends: socket.socket, model: str) -> NoReturn:
    while True:
        try:
            near, _ = ends.accept()
        except OSError:  # too many open files, above all: those that are there go on, and free some
            time.sleep(_PAUSE_SECONDS)
            continue
        threading.Thread(target=_join, args=(near, model), daemon=True).start()


def _join(near: socket.socket, model: str) -> None:
    """Copy both ways between a connection and a new one to the socket, until both sides have hung up."""
    with near, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as far, contextlib.suppress(OSError):
        far.connect(model)
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until one side hangs up, and pass that on."""
    with contextlib.suppress(OSError):
        while part := source.recv(_CHUNK):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
