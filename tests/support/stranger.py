"""An ordinary user of the machine, for tests that run as root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.processes import ROOT


class Stranger:
    """An ordinary user, as whom Python source is run; only root can become one, who has to reach this checkout."""

    uid = 65533

    def __init__(self) -> None:
        self.python = "/usr/bin/python3"
        reachable = all(part.stat().st_mode & 0o001 for part in (ROOT, *ROOT.parents))
        if os.geteuid() != 0 or not reachable or not Path(self.python).exists():
            pytest.skip("machine: only root can become an ordinary user, who has to reach this checkout and a Python")
        self.root = Path(tempfile.mkdtemp(prefix="moonmind-test-", dir="/var/tmp"))
        for name in ("state", "home"):
            (self.root / name).mkdir()
        for folder in (self.root, *self.root.iterdir()):
            os.chown(folder, self.uid, self.uid)

    def run(self, program: str, *arguments: str) -> str:
        """Run Python source that may import this checkout, and return what it printed."""
        environment = {"PATH": os.defpath, "HOME": str(self.root / "home"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [self.python, "-B", "-c", program, str(self.root), *arguments],
            env=environment, cwd="/", capture_output=True, text=True, timeout=100, check=False,
            user=self.uid, group=self.uid, extra_groups=[],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        shutil.rmtree(self.root)
