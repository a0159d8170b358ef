"""A job's folder: the few files through which a supervisor and the rest of the world know each other.

lock          held (flock) while the supervisor lives
handle.json   the job's processes: written once, before any process is told that the job has started
seen.json     which processes the agent has started, where no namespace or control group holds them
facts.json    what is known while it runs, the agent's thread above all
heartbeat     when the supervisor's loop last turned (heartbeat.py)
calls.json    how many calls of the model the run has made, where they pass the key proxy
stop          a request: the job is to end, or never to start
result.json   how it ended: written last, once
stderr.log    the agent's standard error, redacted and bounded
tmp/          the agent's TMPDIR
sandbox       the kind of sandbox that confines the job
link/         the sockets between the supervisor and a sandbox (link.py)
"""

import fcntl
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
"""Of handle, facts and result. Readers take the current version and the one before."""


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The files of one job, by role."""

    path: Path

    @property
    def lock(self) -> Path:
        """Return the file whose flock says that the supervisor lives."""
        return self.path / "lock"

    @property
    def handle(self) -> Path:
        """Return the file that says who runs."""
        return self.path / "handle.json"

    @property
    def facts(self) -> Path:
        """Return the file of what is known so far."""
        return self.path / "facts.json"

    @property
    def seen(self) -> Path:
        """Return the file that notes the agent's processes while it runs."""
        return self.path / "seen.json"

    @property
    def heartbeat(self) -> Path:
        """Return the file that shows whether the supervisor works."""
        return self.path / "heartbeat"

    @property
    def calls(self) -> Path:
        """Return the file of the model calls so far."""
        return self.path / "calls.json"

    @property
    def stop(self) -> Path:
        """Return the file that asks for the end."""
        return self.path / "stop"

    @property
    def result(self) -> Path:
        """Return the file that says how it ended."""
        return self.path / "result.json"

    @property
    def stderr(self) -> Path:
        """Return the log of the agent's standard error."""
        return self.path / "stderr.log"

    @property
    def temporary(self) -> Path:
        """Return the agent's TMPDIR."""
        return self.path / "tmp"

    @property
    def link(self) -> Path:
        """Return the folder that is mounted into a sandbox, for what is behind its wall to reach the supervisor."""
        return self.path / "link"

    @property
    def sandbox(self) -> Path:
        """Return the file that names the kind of sandbox that confines the job."""
        return self.path / "sandbox"

    def make(self) -> None:
        """Make the folder, for this user alone."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.temporary.mkdir(exist_ok=True, mode=0o700)

    def try_lock(self) -> int | None:
        """Take the lock and return its descriptor; None if another process holds it."""
        return try_lock(self.lock)

    @property
    def locked(self) -> bool:
        """Return True if a supervisor lives. To look is to hold the lock for a moment: who starts a job tries it again."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def try_lock(path: Path) -> int | None:
    """Take an exclusive flock without waiting; the descriptor holds it, None means that another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_whole(path: Path, content: bytes, mode: int = 0o600, *, sync: bool = True) -> None:
    """Replace a file so that readers see the old or the new content, with `sync` also after a power cut.

    The folder may be an agent's: no link that it left there is followed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if not sync:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, body: Mapping[str, Any], *, sync: bool = True) -> None:
    """Replace a file with a versioned JSON document."""
    write_whole(path, json.dumps({"v": VERSION, **body}, ensure_ascii=False).encode("utf-8", "replace"), sync=sync)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read what `write_json` wrote; None where there is nothing. Raises ValueError on a version from the future."""
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(body, dict) or body.get("v") not in (VERSION, VERSION - 1):
        raise ValueError(f"{path} is not of a version that this program reads")
    return body
