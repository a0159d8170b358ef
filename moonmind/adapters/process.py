"""The one way adapters run a short command: an argv list, a deadline, a bound on output, no process left behind."""

import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moonmind.errors import NotConfigured

_CHUNK = 65536
_NOT_RUNNABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOEXEC}
_GRACE_SECONDS = 1.0
"""How long output may still come after the command has ended: something it started holds the pipe."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command left. Bytes as the command wrote them; nothing is redacted here."""

    argv: tuple[str, ...]
    exit_code: int
    """Negative: the number of the signal that ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    overflowed: bool = False
    """It wrote more than the limit and was killed; `stdout` and `stderr` hold the beginning."""

    @property
    def ok(self) -> bool:
        """Return True if the command ended by itself, in time, with exit code 0."""
        return self.exit_code == 0 and not self.timed_out and not self.overflowed

    @property
    def text(self) -> str:
        """Return standard output as text, undecodable bytes replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Return standard error as text without surrounding space, undecodable bytes replaced."""
        return self.stderr.decode("utf-8", "replace").strip()


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    input: bytes = b"",  # noqa: A002 - the word that subprocess uses
    timeout: float,
    limit: int = 64 * 1024 * 1024,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a command to its end. `timeout` in seconds, `limit` in bytes for each of stdout and stderr.

    The environment is exactly `env`, and of our open files the command gets `pass_fds` alone. It has a session of its own,
    which is killed when it overstays or writes too much. Raises NotConfigured if there is no such program; a bad exit code
    is the caller's to judge.
    """
    try:
        # Unbuffered: the loop below reads with os.read as data arrives.
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=pass_fds,
            bufsize=0,
        )
    except OSError as error:
        if error.errno not in _NOT_RUNNABLE:
            raise
        if not cwd.is_dir():
            raise NotConfigured(f"{argv[0]} cannot run in {cwd}: no such folder") from error
        raise NotConfigured(
            f"{argv[0]} cannot be run: {error.strerror}",
            remediation=f"Install {Path(argv[0]).name} and make sure that it is on PATH and executable.",
            program=str(argv[0]),
        ) from error
    with process:
        talk = _Conversation(process, input, limit)
        try:
            talk.hold(time.monotonic() + timeout)
        finally:
            _kill(process)
        return Completed(
            tuple(argv),
            process.wait(),
            bytes(talk.stdout[:limit]),
            bytes(talk.stderr[:limit]),
            talk.timed_out,
            talk.overflowed,
        )


class _Conversation:
    """Feeds and reads one running command without a thread, so that nothing can be left blocked on a pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", data: bytes, limit: int) -> None:
        assert process.stdout is not None  # noqa: S101 - `run` asked for the pipe
        assert process.stderr is not None  # noqa: S101 - likewise
        self._process = process
        self._pending = memoryview(data)
        self._limit = limit
        self._ended_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self.stdout, self.stderr = bytearray(), bytearray()
        self.timed_out = False
        self._selector.register(process.stdout, selectors.EVENT_READ, self.stdout)
        self._selector.register(process.stderr, selectors.EVENT_READ, self.stderr)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE)

    @property
    def overflowed(self) -> bool:
        return max(len(self.stdout), len(self.stderr)) > self._limit

    def hold(self, deadline: float) -> None:
        """Go on until the pipes are closed and the command has ended, or until there is a reason to kill it."""
        with self._selector:
            while self._selector.get_map() and not self.overflowed and not self._silent_after_end():
                left = deadline - time.monotonic()
                if left <= 0:
                    self.timed_out = True
                    return
                for key, _ in self._selector.select(min(left, 0.1)):
                    self._move(key)
        if self.overflowed:
            return
        try:
            self._process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            self.timed_out = True

    def _silent_after_end(self) -> bool:
        if self._ended_at is None:
            if self._process.poll() is not None:
                self._ended_at = time.monotonic()
            return False
        return time.monotonic() - self._ended_at > _GRACE_SECONDS

    def _move(self, key: selectors.SelectorKey) -> None:
        if key.events & selectors.EVENT_WRITE:
            self._feed(key.fd)
            return
        chunk = os.read(key.fd, _CHUNK)
        key.data.extend(chunk)
        if not chunk:
            self._selector.unregister(key.fileobj)

    def _feed(self, pipe: int) -> None:
        try:
            self._pending = self._pending[os.write(pipe, self._pending[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not want the rest; its exit code says whether that is bad
            self._pending = self._pending[:0]
        if not self._pending and self._process.stdin is not None:
            self._selector.unregister(self._process.stdin)
            self._process.stdin.close()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    # The group outlives its leader: what the command left running goes too.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # empty by now, or nothing in it is ours
        return
