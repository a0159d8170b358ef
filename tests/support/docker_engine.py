"""A Docker engine of the tests' own: Debian's programs, an image made of this machine's files, no network, no registry.

One engine serves all processes of all test runs of this user that want one at the same time; whoever uses it holds a shared
lock on its folder, which the kernel drops when the process is killed. The last one ends the engine. An engine whose folder
nobody holds was left by a run that was killed: the next one that starts an engine ends it.

Only root can start an engine. Any other user's tests use the one that answers this user, and leave the image in it.

    python -m tests.support.docker_engine    starts one, prints its address, and ends it with Ctrl-C
"""

import fcntl
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pytest

from moonmind.adapters.trees import remove_tree
from tests.support.marker_counts import MACHINE
from tests.support.processes import alive, each_process, start_time
from tests.support.waiting import until

CACHE = Path("~/.cache/moonmind-tests/docker").expanduser()
"""Read before there are tests, which have another HOME."""
_PACKAGES = ("docker.io", "containerd", "runc")
_PROGRAMS = (
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dd",
    "diff",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "git",
    "grep",
    "head",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mount",
    "mv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "sed",
    "seq",
    "sh",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "uname",
    "wc",
    "xargs",
)
_POSTGRES = Path("/usr/lib/postgresql")
_GIT = Path("/usr/lib/git-core")
_GIT_PROGRAMS = ("git", "git-remote-http", "git-remote-https", "git-sh-setup", "git-submodule")
_LEFT_OUT = {
    "test",
    "tests",
    "site-packages",
    "__pycache__",
    "idlelib",
    "lib2to3",
    "tkinter",
    "turtledemo",
}
_START_SECONDS = 30.0
_END_SECONDS = 20.0


@dataclass(frozen=True)
class DockerEngine:
    """A running dockerd, and how to reach it."""

    folder: Path
    programs: str
    """Folders of `docker`, `dockerd` and what they start, before this process's own."""
    address: str = ""
    """Empty: it is ours, with its socket in the folder."""

    @property
    def host(self) -> str:
        return self.address or f"unix://{self.folder / 'sock'}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client."""
        return {"PATH": self.programs, "HOME": str(self.folder), "DOCKER_HOST": self.host}

    def docker(self, *words: str, check: bool = True) -> str:
        """Run the client; return what it printed."""
        done = subprocess.run(
            ["docker", *words], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def tag(self) -> str:
        """The name of the image that jobs can run in."""
        return _tag()

    @property
    def image(self) -> str:
        """Its id."""
        return self.docker("image", "inspect", "--format", "{{.Id}}", self.tag)

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of a MoonMind whose jobs it runs."""
        return {"DOCKER_HOST": self.host, "MOONMIND_SANDBOX_IMAGE": self.image, "PATH": self.programs}

    def image_with_postgres(self) -> str | None:
        """Return the id of an image in which jobs find this machine's PostgreSQL, too; None where there is none."""
        binaries = next(iter(sorted(_POSTGRES.glob("*/bin"), reverse=True)), None)
        if binaries is None:
            return None
        tag = f"{self.tag}-postgres-{binaries.parent.name}-3"
        if not self.docker("image", "inspect", "--format", "{{.Id}}", tag, check=False):
            with _locked(CACHE / "start.lock"):
                place = CACHE / f"{tag.replace(':', '-')}.building"
                _make_image(place, *_postgres_files(binaries), {"etc/passwd": "nobody:x:65534:65534::/:/bin/sh\n"})
                self.docker("import", "--change", "CMD sh", str(place), tag)
                place.unlink()
        return self.docker("image", "inspect", "--format", "{{.Id}}", tag)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            # By a shell that ends at once: it is nobody's child, since another process than this one may end it.
            subprocess.run(
                [
                    *("sh", "-c", '"$@" &', "sh", "dockerd", "--bridge=none", "--iptables=false", "--ip6tables=false"),
                    *("--ip-forward=false", "--ip-masq=false", "--data-root", str(self.folder / "data")),
                    *("--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid")),
                    *("--host", self.host),
                ],
                env={"PATH": self.programs, "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self.docker("version", "--format", "{{.Server.Version}}", check=False):
            if time.monotonic() > deadline:
                pytest.fail(f"dockerd does not answer:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.1)

    def clear(self) -> None:
        """Remove what an earlier test run left."""
        if left := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *left)

    def load(self) -> None:
        """Load the image where it is missing."""
        if not self.docker("image", "inspect", "--format", "{{.Id}}", _tag(), check=False):
            self.docker("import", "--change", "CMD sh", str(_image()), _tag())

    def kill(self) -> None:
        """End dockerd as a power cut would, and nothing else; its containerd is ended by the kernel then."""
        files = (self.folder / "pid", self.folder / "exec/containerd/containerd.pid")
        pids = [int(file.read_text()) for file in files]
        os.kill(pids[0], signal.SIGKILL)
        until(lambda: not any(map(alive, pids)), "dockerd and containerd are gone")
        for file in files:  # the next one believes in them for as long as nobody has reaped the processes
            file.unlink(missing_ok=True)

    def end(self) -> None:
        """End what runs of it and unmount what it mounted. Its images are kept, since loading them
        is most of a start."""
        _end(self.folder / "pid", signal.SIGTERM)
        for left in ("exec/containerd/containerd.pid", "pid"):
            _end(self.folder / left, signal.SIGKILL)
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in reversed(_mounts_below(self.folder)):
            subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
        remove_tree(self.folder / "exec")
        for name in ("pid", "sock", "log"):
            (self.folder / name).unlink(missing_ok=True)

    def _left(self) -> list[int]:
        """List containers, and what keeps them, of an engine that ended before them."""
        found = []
        for place in each_process():
            with suppress(OSError, IndexError):
                pid, parent = place.name, (place / "stat").read_text().rpartition(")")[2].split()[1]
                if any(self._keeps(number) for number in (pid, parent)):
                    found.append(int(pid))
        return found

    def _keeps(self, pid: str) -> bool:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"containerd-shim" in words[0] and str(self.folder / "exec/containerd/containerd.sock").encode() in words


def _end(file: Path, number: signal.Signals) -> None:
    """End the process of a pid file, if it is one of these programs still."""
    try:
        pid = int(file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return
    if name not in {"dockerd", "containerd"}:
        return
    born = start_time(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + _END_SECONDS
    while alive(pid) and start_time(pid) == born and time.monotonic() < deadline:
        time.sleep(0.05)


def _mounts_below(folder: Path) -> list[str]:
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted(place for place in places if place.startswith(f"{folder}/"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def engine(name: str = "shared") -> Iterator[DockerEngine]:
    """Use the engine of this name, started if need be, with the image loaded; skips where none can run."""
    engines = CACHE / "engines"
    engines.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        yield _of_this_user(name)
        return
    if "overlay" not in Path("/proc/filesystems").read_text():
        pytest.skip(f"{MACHINE}this kernel has no overlay file system")
    with ExitStack() as stack:
        with _locked(CACHE / "start.lock"):
            programs = _programs()
            _require_runnable(programs)
            _sweep(engines, programs)
            # Last of all: whoever was the last user ends the engine, also one that did not start as it should.
            stack.callback(_sweep_in_turn, engines, programs)
            made = DockerEngine(engines / name, programs)
            made.folder.mkdir(exist_ok=True)
            users = stack.enter_context((engines / f"{name}.lock").open("a"))
            assert _try_lock(users, fcntl.LOCK_SH), "only the sweep takes it whole, under the lock that we hold"
            if not (made.folder / "pid").exists():
                made.start()
                made.clear()
            made.load()
        yield made


def _sweep_in_turn(engines: Path, programs: str) -> None:
    with _locked(CACHE / "start.lock"):
        _sweep(engines, programs)


def _sweep(engines: Path, programs: str) -> None:
    """End the engines that nobody uses."""
    for folder in engines.iterdir():
        if folder.suffix == ".lock":
            continue
        with (engines / f"{folder.name}.lock").open("a") as users:
            if _try_lock(users, fcntl.LOCK_EX):
                DockerEngine(folder, programs).end()


def _of_this_user(name: str) -> DockerEngine:
    """Return the engine that answers this user."""
    if name != "shared":
        pytest.skip(f"{MACHINE}only root starts an engine of its own")
    programs = os.environ.get("PATH", "")
    if shutil.which("docker", path=programs) is None:
        pytest.skip("there is no docker on PATH, and only root starts an engine of its own")
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    made = DockerEngine(CACHE / "engines", programs, address)
    if not made.docker("version", "--format", "{{.Server.Version}}", check=False):
        pytest.skip(f"no engine answers this user at {address}, and only root starts one of its own")
    with _locked(CACHE / "start.lock"):
        made.load()
    return made


# --- what is kept between runs


def _programs() -> str:
    """Return a PATH on which there is dockerd: this machine's own, else Debian's, unpacked once."""
    ours = os.environ.get("PATH", "")
    if all(shutil.which(program, path=ours) for program in ("docker", "dockerd", "containerd", "runc")):
        return ours
    root = CACHE / "programs"
    if not root.exists():
        _unpack(root)
    return f"{root / 'usr/sbin'}:{root / 'usr/bin'}:{ours}"


def _require_runnable(programs: str) -> None:
    """Skip where Debian's programs lack a library: they are unpacked, and no package that they need is installed."""
    done = subprocess.run(
        ["dockerd", "--version"], env={"PATH": programs}, capture_output=True, text=True, timeout=30, check=False
    )
    if "error while loading shared libraries" in done.stderr:
        pytest.skip(f"{MACHINE}dockerd cannot be run here: {done.stderr.strip()[-200:]}")


def _unpack(root: Path) -> None:
    """Fetch and unpack Debian's packages without installing them: nothing else on this machine is to start a dockerd."""
    if not shutil.which("apt-get"):
        pytest.skip("there is no dockerd, and no apt-get to fetch it with")
    folder = root.with_name("programs.building")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    done = subprocess.run(
        ["apt-get", "download", "-qq", *_PACKAGES], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    packages = sorted(folder.glob("*.deb"))
    if done.returncode != 0 or len(packages) != len(_PACKAGES):
        pytest.skip(f"there is no dockerd, and it cannot be fetched: {done.stderr.strip()[-300:]}")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, timeout=60)
        package.unlink()
    folder.rename(root)


def _tag() -> str:
    """Name the image: another Python or another list of programs makes another one, and so does the number."""
    return f"moonmind-tests:{platform.python_version()}-{zlib.crc32(repr((3, sys.base_prefix, _PROGRAMS)).encode()):x}"


def _image() -> Path:
    """Return an image of this machine's shell, git and Python: made in two seconds, and by nothing that has to be fetched."""
    place = CACHE / f"{_tag().replace(':', '-')}.tar"
    if not place.exists():
        building = place.with_suffix(".building")
        _make_image(building)
        building.rename(place)
    return place


def _postgres_files(binaries: Path) -> tuple[list[Path], list[Path]]:
    """Return the programs of a PostgreSQL, and the other files that it reads."""
    libraries = binaries.parent / "lib"
    shared = Path("/usr/share/postgresql") / binaries.parent.name
    files = [libraries / name for name in ("dict_snowball.so", "plpgsql.so")]
    # What a client in a wheel is linked with, and no program of the image is.
    files += [
        path for name in ("libdl.so.2", "libpthread.so.0", "librt.so.1") for path in Path("/usr/lib").glob(f"*/{name}")
    ]
    files += [path for path in shared.rglob("*") if path.is_file()]
    return [binaries / name for name in ("initdb", "pg_ctl", "postgres")], files


def _make_image(
    place: Path,
    more_programs: Iterable[Path] = (),
    more_files: Iterable[Path] = (),
    texts: Mapping[str, str] = MappingProxyType({}),
) -> None:
    python = Path(sys.base_prefix)
    library = python / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [shutil.which(program, path="/usr/bin:/bin") for program in _PROGRAMS]
    programs = [Path(program) for program in found if program is not None]
    programs += [Path(sys.executable).resolve(), *(path for name in _GIT_PROGRAMS if (path := _GIT / name).exists())]
    programs += more_programs
    files = [path for path in library.rglob("*") if path.is_file() and not _left_out(path.relative_to(library))]
    files += more_files
    linked = subprocess.run(
        ["ldd", *map(str, programs), *(str(path) for path in files if path.suffix == ".so")],
        capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    libraries = {Path(path) for path in re.findall(r"(/\S+) \(0x", linked)}
    with tarfile.open(place, "w") as tar:
        named = {_name(path): path for path in {*programs, *files, *libraries}}
        above = {folder.as_posix() for name in named for folder in Path(name).parents if folder.name}
        for name in sorted(
            above | {"dev", "etc", "home", "proc", "run", "sys", "tmp", "usr/local/bin", "usr/local", "var"}
        ):
            folder = tarfile.TarInfo(name)  # also those above: an engine may give them a mode of its own
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for name in ("bin", "lib", "lib64", "sbin"):
            _link(tar, name, f"usr/{name}")
        _link(tar, "usr/local/bin/python3", str(Path(sys.executable).resolve()))
        for name, path in sorted(named.items()):
            _file(tar, name, path)
        for name, text in texts.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    tar.addfile(link)


def _left_out(path: Path) -> bool:
    return bool(_LEFT_OUT & set(path.parts)) or path.parts[0].startswith("config-")


def _name(path: Path) -> str:
    """Return a file's name in the image, where /lib and its like are links."""
    return re.sub(r"^/(bin|lib|lib64|sbin)/", r"/usr/\1/", str(path)).lstrip("/")


def _file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """Add what a file's links lead to, under its own name."""
    with path.resolve().open("rb") as content:
        info = tar.gettarinfo(arcname=name, fileobj=content)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.type, info.linkname = tarfile.REGTYPE, ""  # gettarinfo writes the second name of a file as a link
        tar.addfile(info, content)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """An engine with an image for jobs, shared by all tests that run at the same time."""
    with engine() as made:
        yield made


@pytest.fixture
def own_engine() -> Iterator[DockerEngine]:
    """An engine that nobody else uses, and that may be killed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "killed.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with engine("killed") as made:
            yield made


if __name__ == "__main__":
    with engine() as running:
        print(f"PATH={running.programs}\nDOCKER_HOST={running.host}\n{running.image}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
