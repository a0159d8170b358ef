"""The launcher: takes the job's lock, leaves the supervisor behind, and says how that went.

Exit codes: 0 with `started` or `already` on standard output; 75 when the login is lent to another agent; 76 when the job
was stopped before it started, or when the host lacks something now; 1 otherwise; with a sentence on standard error. The
one argument is not read: it is the job's mark, by which a supervisor is found that hangs before it writes its handle.
"""

import contextlib
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

from moonmind.adapters.supervisor.folder import JobFolder
from moonmind.adapters.supervisor.job import Job
from moonmind.adapters.supervisor.loan import LoginBusy
from moonmind.adapters.supervisor.order import Order

REFUSED = 1
BUSY = 75
AGAIN = 76
_HANDLE_SECONDS = 20.0
"""How long the holder of the lock may take to write its handle."""


def main() -> int:
    """Start the job of the order on standard input, or find it started."""
    try:
        order = Order.from_bytes(sys.stdin.buffer.read())
        folder = JobFolder(Path(order.folder))
        folder.make()
        lock = _lock(folder)
    except OSError as error:
        return _say(AGAIN, str(error))
    except ValueError as error:
        return _say(REFUSED, str(error))
    if lock is None:
        return _say(0, "already")
    if folder.stop.exists():
        # Looked for under the lock: a process that stops the job makes the file first and then waits for the lock.
        return _say(AGAIN, "the job was stopped before it started")
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        _supervise(order, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answers:
        answer = answers.read().decode("utf-8", "replace")
    code, _, words = answer.partition(" ")
    return _say(int(code), words) if code else _say(AGAIN, "the supervisor died before it could start the agent")


def _lock(folder: JobFolder) -> int | None:
    """Take the lock; return None once another process is known to have started the job."""
    deadline = time.monotonic() + _HANDLE_SECONDS
    while True:
        lock = folder.try_lock()
        if folder.handle.exists():
            return None  # also for a job that has ended: its key is used up
        if lock is not None:
            return lock
        if time.monotonic() > deadline:
            raise OSError(f"another process holds {folder.lock} and does not start the agent")
        time.sleep(0.02)


def _supervise(order: Order, write_end: int) -> None:
    """Be the supervisor; never returns."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        job = _start(order, write_end)
        try:
            job.run()
        except BaseException:
            job.explain(traceback.format_exc())
            raise
    finally:
        os._exit(0)  # the launcher's own exit steps are not ours


def _start(order: Order, write_end: int) -> Job:
    """Start the agent and tell the launcher how that went; returns only if it went well."""
    job: Job | None = None
    try:
        job = Job(order)
        job.start()
    except LoginBusy:
        answer = f"{BUSY} another agent uses the login; with a ChatGPT login one runs at a time"
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        answer = f"{REFUSED} {order.argv[0]} cannot be started in {order.cwd}: {error}"
    else:
        _answer(write_end, "0 started")
        return job
    if job is not None:
        job.abandon()
    _answer(write_end, answer)
    os._exit(1)


def _answer(write_end: int, words: str) -> None:
    # A launcher that took too long is gone by now; then the handle tells that the job has started.
    with contextlib.suppress(BrokenPipeError):
        os.write(write_end, words.encode())
    os.close(write_end)


def _say(code: int, words: str) -> int:
    print(words, file=sys.stdout if code == 0 else sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
