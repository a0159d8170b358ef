"""Jobs that borrow an environment, started without a supervisor: what they see, and what they leave."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.environments.lending import Lent, lend
from moonmind.ports.sandbox import PYTHON, WORKSPACE, BoxedCommand, Mount, Sandbox
from tests.support.built_environments import CHECKOUT, write

FOLDERS = ("/workspace/.venv", "/workspace/node_modules", "/workspace/packages/web/node_modules", "/environment")
"""Where the environment `MADE` is behind the wall."""
SEEN = r"""
import json, os, stat, sys
found = {}
for top in sys.argv[1:]:
    for folder, folders, files in os.walk(top):
        for name in [".", *folders, *files]:
            path = os.path.normpath(os.path.join(folder, name))
            status = os.lstat(path)
            content = open(path).read() if stat.S_ISREG(status.st_mode) else None
            found[path] = [status.st_mode, status.st_uid == os.getuid(), status.st_gid == os.getgid(), content]
print(json.dumps(found))
"""
SPOILT = r"""
import os, shutil, sys
for top in sys.argv[1:]:
    for folder, folders, files in os.walk(top, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "a") as file:
                file.write("evil")
            os.chmod(path, 0o777)
            os.utime(path, (1, 1))
            os.rename(path, path + ".moved")
            os.symlink("/etc/passwd", path)
        for name in folders:
            path = os.path.join(folder, name)
            os.mkdir(path + ".new")
            open(path + ".new/file", "w").close()
            shutil.rmtree(path)
            os.symlink(path + ".new", path)
        open(os.path.join(folder, "added"), "w").close()
    os.chmod(top, 0o700)
"""


@dataclass
class Borrower:
    """One job with a workspace of its own."""

    store: EnvironmentStore
    sandbox: Sandbox
    folder: Path
    job: str = "run/apply-1"
    key: str = "k"
    lent: Lent = field(init=False)

    def __post_init__(self) -> None:
        self.workspace = self.folder / "workspace"
        if not self.workspace.exists():
            write(self.workspace, CHECKOUT)
        for path in [self.workspace, *self.workspace.rglob("*")]:
            os.chown(path, *self.owner, follow_symlinks=False)
        self.into = self.folder / "lent"
        self.lent = lend(self.store, self.key, self.job, self.into, self.sandbox, self.workspace)

    @property
    def owner(self) -> tuple[int, int]:
        return self.sandbox.user or (os.geteuid(), os.getegid())

    def boxed(self, command: Sequence[str]) -> BoxedCommand:
        mounts = (Mount(self.workspace, WORKSPACE, writable=True), *self.lent.mounts)
        variables = {**self.lent.variables, "PATH": self.lent.search_path}
        return BoxedCommand(f"i/{self.job}", tuple(command), variables, mounts)

    def run(self, *command: str) -> str:
        """Run a command behind the wall, and return what it printed."""
        wrapped = self.sandbox.wrap(self.boxed(command))
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

    def python(self, program: str, *arguments: str) -> str:
        return self.run(PYTHON, "-I", "-S", "-c", program, *arguments)

    def seen(self, *folders: str) -> dict[str, Any]:
        """Return all that the job sees of what it was lent."""
        found: dict[str, Any] = json.loads(self.python(SEEN, *(folders or FOLDERS)))
        return found

    def spoil(self, *folders: str) -> None:
        """Change, rename, replace and remove all that the job was lent."""
        self.python(SPOILT, *(folders or FOLDERS))
