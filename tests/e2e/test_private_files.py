"""No file that the service leaves is open to other users, whatever the umask of whoever started it."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from moonmind.runtime import server_file
from tests.support.waiting import until

pytestmark = pytest.mark.sqlite

ROOT = Path(__file__).parents[2]
UP = ["-m", "moonmind.cli.main", "up", "--port", "0"]
SAMPLE = "moonmind/spec-kit-reference"


def opened(*folders: Path) -> dict[str, str]:
    """List what others may do something with, by its mode: artifacts are the group's to read, and repositories, which
    stand for a forge, are not the service's own.
    """
    found = {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            allowed = 0o050 if path.is_dir() else 0o040 if "artifacts" in path.parts else 0
            if not path.is_symlink() and "repositories" not in path.parts and mode & 0o077 & ~allowed:
                found[str(path)] = oct(mode)
    return found


@pytest.mark.parametrize("umask", [0o000, 0o022], ids=oct)
@pytest.mark.in_every_run(1)
def test_an_embedded_run_leaves_nothing_that_others_can_read(tmp_path: Path, umask: int) -> None:
    work, state, temporary = tmp_path / "work", tmp_path / "state", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    env = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TMPDIR": str(temporary),  # state is refused below the temporary folder, where pytest puts us
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_STATE_DIR": str(state),
    }

    server = subprocess.Popen([sys.executable, *UP], cwd=work, env=env, umask=umask, stderr=subprocess.DEVNULL)
    try:
        until(lambda: server_file.find(work / "var") is not None, "the server", 60)
        run = [sys.executable, "-m", "moonmind.cli.main", "run", SAMPLE, "--watch"]
        done = subprocess.run(run, cwd=work, env=env, umask=umask, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        var = work / "var"
        assert {"moonmind.db", "moonmind.db-wal", "server.json", "moonmind.lock"} <= {
            each.name for each in var.iterdir()
        }
        assert opened(var, state) == {}
        kept = [path for path in (var / "artifacts").rglob("*") if path.is_dir()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o750}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
