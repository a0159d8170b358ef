"""Jobs behind Docker's wall, as a supervisor starts them: the client as a child, and the link to the first process."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor.link import PORT, Link
from moonmind.ports.sandbox import HOME, LINK, PATH, PYTHON, TEMPORARY, WORKSPACE, BoxedCommand, Mount, Wrapped
from tests.support.docker_engine import DockerEngine
from tests.support.waiting import PATIENCE, until

ENVIRONMENT = {"HOME": HOME, "PATH": PATH, "TMPDIR": TEMPORARY, "LANG": "C.UTF-8"}


def sandbox_of(engine: DockerEngine, folder: Path, **options: Any) -> Docker:
    """Return a sandbox of an installation of its own."""
    given: dict[str, Any] = {
        "state_folder": folder / "state",
        "installation_id": f"installation-of-{folder.name}",
        "host_id": "this-host",
        "environment": engine.environment,
        "image": engine.image,
    }
    return Docker(SandboxOptions(**(given | options)))


@dataclass(frozen=True)
class Ended:
    """What was seen of a job that has ended."""

    stdout: bytes
    stderr: bytes
    status: int | None
    """The command's wait status, as the first process behind the wall said it."""
    client: int
    """The exit code of Docker's client."""

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


class DockerJob:
    """One job with a workspace of its own below a folder."""

    def __init__(self, sandbox: Docker, folder: Path, *, mark: str = "installation/run/apply-1") -> None:
        self.sandbox = sandbox
        self.mark = mark
        self.workspace = folder / "workspace"
        self.workspace.mkdir(exist_ok=True)
        os.chown(self.workspace, *(sandbox.user or (os.geteuid(), os.getegid())))
        self.link = Link(folder / "link")
        self.client: subprocess.Popen[bytes] | None = None
        self._hung_up: bool | None = None

    def wrapped(
        self, *command: str, environment: Mapping[str, str] | None = None, mounts: tuple[Mount, ...] = ()
    ) -> Wrapped:
        """Return the command behind the wall, with the workspace and the link."""
        first = (PYTHON, f"{LINK}/entry.py", LINK, str(PORT))
        own = (Mount(self.workspace, WORKSPACE, writable=True), Mount(self._link_folder, LINK))
        job = BoxedCommand(self.mark, (*first, *command), ENVIRONMENT | dict(environment or {}), (*own, *mounts))
        return self.sandbox.wrap(job)

    @property
    def _link_folder(self) -> Path:
        return self.workspace.parent / "link"

    def start(self, *command: str, **options: Any) -> None:
        """Start it, and wait until the command runs."""
        wrapped = self.wrapped(*command, **options)
        self.client = subprocess.Popen(
            wrapped.argv, env=dict(wrapped.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, cwd="/",
        )  # fmt: skip
        until(self._began, "the command runs")

    def _began(self) -> bool:
        self.link.accept()
        self.link.hear()
        if self.client is not None and self.client.poll() is not None and not self.link.began:
            raise AssertionError(self.client.communicate()[1].decode("utf-8", "replace"))
        return self.link.began

    def wait(self, stdin: bytes = b"") -> Ended:
        """Stay with it to its end."""
        assert self.client is not None
        stdout, stderr = self.client.communicate(stdin, PATIENCE)
        while self.link.connected and self.link.hear():
            time.sleep(0.02)
        return Ended(stdout, stderr, self.link.status, self.client.returncode)

    def run(self, *command: str, stdin: bytes = b"", **options: Any) -> Ended:
        """Run it from start to end."""
        self.start(*command, **options)
        return self.wait(stdin)

    def hang_up(self) -> bool:
        """End it as a supervisor does that lets go of the link; return True once the first process is gone."""
        if self._hung_up is None:
            self._hung_up = self.link.end()
        return self._hung_up

    def close(self) -> None:
        """End what is left of it."""
        self.hang_up()
        if self.client is not None:
            if self.client.poll() is None:
                self.client.send_signal(signal.SIGKILL)
            self.client.communicate()
        self.sandbox.end(self.mark)


@contextmanager
def job(sandbox: Docker, folder: Path, **options: Any) -> Iterator[DockerJob]:
    """Yield a job for a test, and leave nothing of it."""
    made = DockerJob(sandbox, folder, **options)
    try:
        yield made
    finally:
        made.close()
