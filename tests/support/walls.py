"""Commands behind a real wall, started as a supervisor does: contained, with a link."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor.containment import Contained, Kind, contain
from moonmind.adapters.supervisor.link import PORT, Link
from moonmind.ports.check import Check
from moonmind.ports.sandbox import LINK, PATH, PYTHON, WORKSPACE, BoxedCommand, Mount, Sandbox, SandboxKind, Wrapped


def codex_package() -> Path | None:
    """Return the folder of the installed Codex package, which brings a bwrap along."""
    try:
        import codex_cli_bin
    except ImportError:
        return None
    return Path(codex_cli_bin.__file__).parent


def bubblewrap(root: Path, **changes: object) -> Bubblewrap:
    """Return a sandbox whose state folder is `root/state`."""
    (root / "state").mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    terms: dict[str, object] = {"environment": environment, "codex_package": codex_package(), **changes}
    return Bubblewrap(SandboxOptions(root / "state", "i", "h", **terms))  # type: ignore[arg-type] # fields by name


@dataclass
class Box:
    """A sandbox and a workspace in its state folder."""

    root: Path
    sandbox: Sandbox
    mounts: tuple[Mount, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workspace = self.root / "state" / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)

    def job(self, command: Sequence[str]) -> BoxedCommand:
        return BoxedCommand(
            "i/run/submit-1",
            tuple(command),
            {"PATH": PATH, **self.variables},
            (Mount(self.workspace, WORKSPACE, writable=True), *self.mounts),
        )

    def run(self, program: str, *arguments: str) -> str:
        """Run Python source behind the wall, without a supervisor, and return what it printed."""
        wrapped = self.sandbox.wrap(self.job([PYTHON, "-I", "-S", "-c", program, *arguments]))
        done = subprocess.run(
            wrapped.argv,
            env=dict(wrapped.environment),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def linked(
        self, program: str, *arguments: str, kinds: Sequence[Kind] = tuple(Kind)
    ) -> Iterator[tuple[Contained, Link]]:
        """Run Python source as a supervisor does: contained, and behind the wall as the command of `entry.py`."""
        folder = self.root / "state" / "link"
        link = Link(folder)
        job = self.job(
            [PYTHON, "-I", "-S", f"{LINK}/entry.py", LINK, str(PORT), PYTHON, "-I", "-S", "-c", program, *arguments]
        )
        job = BoxedCommand(job.mark, job.command, job.environment, (*job.mounts, Mount(folder, LINK)))
        wrapped = self.sandbox.wrap(job)
        contained = contain(wrapped.argv, wrapped.environment, "/", mark=f"test/{folder}", kinds=kinds)
        try:
            yield contained, link
        finally:
            if link.life.fileno() != -1:
                link.end()
            contained.keeper.kill()
            contained.keeper.communicate()
            contained.kill_group()
            contained.close()


def connected(link: Link, seconds: float = 30.0) -> None:
    """Wait until the command behind the wall runs."""
    deadline = time.monotonic() + seconds
    while not link.began:
        assert time.monotonic() < deadline, "nothing came to the link"
        link.accept()
        link.hear()
        time.sleep(0.01)


UNWALLED = """
import os, socket, subprocess, sys
life = socket.socket(socket.AF_UNIX)
os.chdir(sys.argv[1])  # the address of a socket is short
life.connect("life.sock")
life.sendall(b"here\\n")
status = subprocess.run(sys.argv[2:]).returncode
life.sendall(b"exit %d\\n" % (status << 8))
"""


class NoWall:
    """A sandbox without a wall: commands see the host, and mounts where they lie."""

    kind = SandboxKind.NONE
    user: tuple[int, int] | None = None

    def wrap(self, job: BoxedCommand) -> Wrapped:
        """Run what `entry.py` would run, and say to the link what it would say."""
        places = {mount.target: str(mount.source) for mount in job.mounts}
        command = [sys.executable if part == PYTHON else part for part in job.command[6:]]
        for target, source in places.items():
            command = [
                source + part.removeprefix(target) if part == target or part.startswith(f"{target}/") else part
                for part in command
            ]
        return Wrapped((sys.executable, "-I", "-S", "-c", UNWALLED, places[LINK], *command), dict(job.environment))

    def end(self, mark: str) -> None:
        pass

    def overlays(self) -> bool:
        return False

    def marks(self) -> tuple[str, ...]:
        return ()

    def foundation(self) -> str:
        return "programs"

    def check(self) -> tuple[Check, ...]:
        return ()


class Holed:
    """A sandbox with a hole: what another one says, changed."""

    user: tuple[int, int] | None = None

    def __init__(self, whole: Sandbox, bore: Callable[[list[str]], list[str]]) -> None:
        self.kind = whole.kind
        self._whole, self._bore = whole, bore

    def wrap(self, job: BoxedCommand) -> Wrapped:
        wrapped = self._whole.wrap(job)
        return Wrapped(tuple(self._bore(list(wrapped.argv))), wrapped.environment)

    def end(self, mark: str) -> None:
        self._whole.end(mark)

    def overlays(self) -> bool:
        return self._whole.overlays()

    def marks(self) -> tuple[str, ...]:
        return ()

    def foundation(self) -> str:
        return "programs"

    def check(self) -> tuple[Check, ...]:
        return ()
