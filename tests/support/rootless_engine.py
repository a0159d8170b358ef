"""A rootless engine, as an ordinary user runs one: dockerd as root of a user namespace, in which that user is root."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moonmind.adapters.trees import remove_tree
from tests.support.docker_engine import DockerEngine
from tests.support.marker_counts import MACHINE

USER = 54_321
"""Nobody else's, and unknown to this machine."""
_OTHERS, _COUNT = 540_000, 65_536
_USER_NAMESPACE, _MOUNT_NAMESPACE = 0x10000000, 0x00020000
_DUMPABLE = 4
_START_SECONDS = 30.0
_OPTIONS = (
    "--rootless",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
)


@contextmanager
def rootless_engine(programs: str) -> Iterator[DockerEngine]:
    """Start one with the programs of another engine; its folder is USER's."""
    if os.geteuid() != 0:
        pytest.skip(f"{MACHINE}only root makes a user's namespace without the user's help")
    folder = Path(tempfile.mkdtemp(prefix="moonmind-rootless-", dir="/var/tmp"))
    try:
        (folder / "bin").mkdir()
        for program in ("docker", "dockerd", "containerd", "containerd-shim-runc-v2", "runc"):
            shutil.copy2(str(shutil.which(program, path=programs)), folder / "bin")
        # It is looked for, and not used without a bridge.
        (folder / "bin/rootlesskit-docker-proxy").symlink_to("/bin/false")
        for path in (folder, folder / "bin"):
            path.chmod(0o755)
            os.chown(path, USER, USER)
        made = DockerEngine(folder, f"{folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin", f"unix://{folder / 'sock'}")
        child = _start(made)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not made.docker("version", "--format", "{{.Server.Version}}", check=False):
                assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
                time.sleep(0.1)
            made.load()
            yield made
        finally:
            made.clear()
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
    finally:
        remove_tree(folder)


def _start(engine: DockerEngine) -> int:
    """Fork a process that becomes dockerd; return its number."""
    ready, go = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child becomes another program at once
        child = os.fork()
    if child == 0:
        try:
            _become_dockerd(engine, ready[1], go[0])
        finally:
            os._exit(1)
    os.read(ready[0], 1)
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{kind}").write_text(f"0 {USER} 1\n1 {_OTHERS} {_COUNT}\n")
    os.write(go[1], b"x")
    for end in (*ready, *go):
        os.close(end)
    return child


def _become_dockerd(engine: DockerEngine, ready: int, go: int) -> None:
    folder = engine.folder
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT, 0o644)
    for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    os.setsid()
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    libc = ctypes.CDLL(None)
    libc.prctl(_DUMPABLE, 1, 0, 0, 0)  # else its files in /proc are root's
    if libc.unshare(_USER_NAMESPACE | _MOUNT_NAMESPACE) != 0:
        return
    os.write(ready, b"x")
    os.read(go, 1)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # Its folders in /run are its own.
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    environment = {
        "PATH": engine.programs,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "ROOTLESSKIT_STATE_DIR": str(folder),
    }
    places = ("--data-root", "data", "--exec-root", "exec", "--pidfile", "pid")
    words = [word if word.startswith("--") else str(folder / word) for word in places]
    os.execve(folder / "bin/dockerd", ["dockerd", *_OPTIONS, *words, "--host", engine.host], environment)


@contextmanager
def as_user(user: int) -> Iterator[None]:
    """Be this user for a while, as far as files and sockets go."""
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
