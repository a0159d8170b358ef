"""Tries for real whether what jobs of a sandbox write over a folder can be kept apart from it, on a state folder's file system."""

import os
import tempfile
from pathlib import Path

from moonmind.adapters import process
from moonmind.adapters.trees import remove_tree
from moonmind.ports.sandbox import PATH, PYTHON, WORKSPACE, BoxedCommand, Mount, Sandbox

MARK = "trial"
_TARGET = f"{WORKSPACE}/lent"
_SECONDS = 60.0
_PROGRAM = """
import os
os.chdir("/workspace/lent")
for name in ("new", "changed"):
    with open(name, "a") as file:
        file.write("x")
os.unlink("gone")
os.rmdir("folder")
os.mkdir("folder")
"""


def works(sandbox: Sandbox, state_folder: Path, mark: str = MARK) -> bool:
    """Return True if a job can change what is lent to it for itself alone. Raises OSError, SandboxFailed, SandboxUnavailable."""
    parent = state_folder / "overlay-trials"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=parent))
    try:
        lower, upper, workspace = place / "lower", place / "upper", place / "workspace"
        for folder in (lower, upper, place / "work", workspace, lower / "folder", workspace / "lent"):
            folder.mkdir(mode=0o755)
        for name in ("changed", "gone"):
            (lower / name).touch(mode=0o644)
        if sandbox.user is not None:
            for path in (lower, *lower.iterdir(), upper, workspace, workspace / "lent"):
                os.chown(path, *sandbox.user)
        mounts = (Mount(workspace, WORKSPACE, writable=True), Mount(lower, _TARGET, writable=True, upper=upper))
        command = (PYTHON, "-I", "-S", "-c", _PROGRAM)
        wrapped = sandbox.wrap(BoxedCommand(mark, command, {"PATH": PATH}, mounts))
        done = process.run(wrapped.argv, cwd=Path("/"), env=wrapped.environment, timeout=_SECONDS)
        sandbox.end(mark)
        return done.ok and _kept_apart(lower, upper, workspace)
    finally:
        remove_tree(place)


def _kept_apart(lower: Path, upper: Path, workspace: Path) -> bool:
    untouched = {path.name for path in lower.iterdir()} == {"changed", "gone", "folder"}
    written = [(upper / name).read_bytes() for name in ("new", "changed") if (upper / name).is_file()]
    return (
        untouched
        and (lower / "changed").stat().st_size == 0
        and written == [b"x", b"x"]
        and not list((workspace / "lent").iterdir())
    )
