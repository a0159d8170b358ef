"""An ordinary user of the machine, for tests that run as root."""

import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import pytest

from tests.support.processes import ROOT

USER = 65533
PYTHON = "/usr/bin/python3"
PYTHONPATH = f"{ROOT}:{sysconfig.get_path('purelib')}"
"""This checkout and what it needs, for a Python of the same version."""


def require_stranger(*modules: str) -> None:
    """Skip the test where nobody can become an ordinary user, or that user's Python cannot import one of these modules."""
    reachable = all(part.stat().st_mode & 0o001 for part in (ROOT, *ROOT.parents))
    if os.geteuid() != 0 or not reachable or not Path(PYTHON).exists():
        pytest.skip("machine: only root can become an ordinary user, who has to reach this checkout and a Python")
    asked = [PYTHON, "-B", "-c", "".join(f"import {module}\n" for module in modules)]
    if subprocess.run(asked, env={"PYTHONPATH": PYTHONPATH}, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"machine: {PYTHON} cannot import all of {', '.join(modules)}")


def can_be(*modules: str) -> bool:
    """Return True if `require_stranger` would skip nothing."""
    try:
        require_stranger(*modules)
    except pytest.skip.Exception:
        return False
    return True


class Stranger:
    """An ordinary user, as whom Python source is run; only root can become one, who has to reach this checkout."""

    uid = USER

    def __init__(self) -> None:
        require_stranger()
        self.python = PYTHON
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
