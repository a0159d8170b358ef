"""Commands behind a real wall, started as a supervisor does: contained, with a link."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor.containment import Contained, Kind, contain
from moonmind.adapters.supervisor.link import PORT, Link
from moonmind.ports.sandbox import LINK, PATH, PYTHON, WORKSPACE, BoxedCommand, Mount, Sandbox


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
        job = self.job([PYTHON, f"{LINK}/entry.py", LINK, str(PORT), PYTHON, "-I", "-S", "-c", program, *arguments])
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
