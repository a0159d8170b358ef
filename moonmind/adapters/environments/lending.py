"""Lends an environment to a job: each folder by an overlay of its own, or as a copy, so that no borrower can change it for others."""

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from moonmind.adapters import process
from moonmind.adapters.environments.environment_record import EnvironmentRecord
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.trees import give_to, open_below, remove_tree
from moonmind.errors import AgentUnknown, External
from moonmind.ports.sandbox import ENVIRONMENT, PATH, WORKSPACE, Mount, Sandbox
from moonmind.proof.environments.environment_value import ROOT

TOOLS: Mapping[str, str] = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""Let tools keep what they install where it can be lent; for builds and for borrowers."""
OFFLINE: Mapping[str, str] = {
    "CARGO_NET_OFFLINE": "true",
    "COMPOSER_DISABLE_NETWORK": "1",
    "GOPROXY": "off",
    "GOSUMDB": "off",
    "GOTOOLCHAIN": "local",
    "MAVEN_ARGS": "--offline",
    "PIP_NO_INDEX": "1",
    "UV_OFFLINE": "1",
    "YARN_ENABLE_NETWORK": "0",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_offline": "true",
    "npm_config_update_notifier": "false",
}
"""There is no network: tools say at once what they lack instead of trying for minutes."""
_OF_CHECKOUT = (".venv", "venv"), ("node_modules",)
_IN_HOME = (".local/bin", "bin", "go/bin", ".cargo/bin", ".bun/bin", ".deno/bin")
_OF_PACKAGES = frozenset({"node_modules", "__pypackages__", ".pnpm-store"})
_COPY_SECONDS = 600.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_MOST_DEPTH = 32
"""Mount points inside of a mount point."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What a job has of an environment."""

    mounts: tuple[Mount, ...]
    """They come after the workspace's own."""
    variables: Mapping[str, str]
    path: tuple[str, ...]
    """Folders of programs, to be searched first."""
    notes: tuple[str, ...] = ()
    """What is not lent, and why."""
    root: str = ROOT

    @property
    def search_path(self) -> str:
        """Return the job's PATH."""
        return ":".join((*self.path, PATH))


def lend(
    store: EnvironmentStore,
    key: str,
    job: str,
    into: Path,
    sandbox: Sandbox,
    workspace: Path,
    named: Collection[str] = (),
) -> Lent:
    """Lend an environment to a job that is about to start; `into` is the folder, removed with it, of what it writes there.

    `named` are the paths that the job's tasks name: what it writes there is its work, so nothing is mounted over them.
    The store notes the borrower first, so that the environment stays. What an earlier, killed start left in `into` is
    removed: nothing of the job may run. Raises AgentUnknown where the environment is gone, External where it cannot be
    copied, and OSError.
    """
    record = store.borrow(key, job)
    if record is None:
        raise AgentUnknown(
            f"environment {key} is not there any more",
            remediation="No action needed yet: the stage builds it again automatically.",
        )
    remove_tree(into)
    into.mkdir(mode=0o700, parents=True)
    loan = _Loan(record, into, sandbox, workspace)
    mounts = [loan.mount(record.home, ENVIRONMENT, "home")]
    lent = []
    for number, path in enumerate(record.built.folders):
        if not loan.is_work(number, path, named) and loan.has_place_for(path):
            mounts.append(loan.mount(record.folder(number), f"{WORKSPACE}/{path}", str(number)))
            lent.append(number)
    for number, path in enumerate(record.built.copied):
        loan.put(record.copy(number), path)
    return Lent(
        tuple(mounts),
        _variables(record, lent),
        tuple(_search_path(record, lent)),
        tuple(loan.notes),
        record.build.environment.root,
    )


class _Loan:
    """Prepares what one job sees."""

    def __init__(self, record: EnvironmentRecord, into: Path, sandbox: Sandbox, workspace: Path) -> None:
        self._record, self._into, self._workspace = record, into, workspace
        self._overlays = sandbox.overlays()
        self._job_user = sandbox.user
        status = workspace.lstat()
        self._owner = (status.st_uid, status.st_gid)
        self.notes: list[str] = []

    def mount(self, source: Path, target: str, name: str) -> Mount:
        """Return a mount of a folder of the store, which the job may change for itself alone."""
        place = self._into / name
        if not self._overlays:
            _copy(source, place)
            if os.geteuid() == 0:
                give_to(place, *(self._job_user or (0, 0)))
            return Mount(place, target, writable=True)
        upper = place / "upper"
        for folder in (place, upper, place / "work"):
            folder.mkdir(mode=0o700)
        found = source.lstat()  # what the job sees of the folder itself is that of the upper one
        upper.chmod(stat.S_IMODE(found.st_mode))
        if os.geteuid() == 0:
            os.chown(upper, found.st_uid, found.st_gid)
        return Mount(source, target, writable=True, upper=upper)

    def is_work(self, number: int, path: str, named: Collection[str]) -> bool:
        """Return True, and note why, where the job is to write above or below a folder that holds more than packages."""
        if path.rpartition("/")[2] in _OF_PACKAGES or os.path.lexists(self._record.folder(number) / "pyvenv.cfg"):
            return False
        place = PurePosixPath(path)
        for name in named:
            task = PurePosixPath(name)
            if task.parts and (task.is_relative_to(place) or place.is_relative_to(task)):
                self.notes.append(f"{path}/ is not lent: a task names {name}")
                return True
        return False

    def has_place_for(self, path: str) -> bool:
        """Make the folder of the workspace over which one is mounted; return False, and note why, where it cannot be had."""
        try:
            with self._entered(path.split("/")) as handle:
                if not _holds_files(handle):
                    return True
                why = "there are files in the workspace's own"
        except OSError as error:
            why = f"it cannot be made in the workspace ({error.strerror})"
        self.notes.append(f"{path}/ is not lent: {why}")
        return False

    def put(self, source: Path, path: str) -> None:
        """Copy a file or link into the workspace, unless something is there."""
        *above, name = path.split("/")
        try:
            with self._entered(above) as folder:
                if source.is_symlink():
                    os.symlink(source.readlink(), name, dir_fd=folder)
                    os.chown(name, *self._owner, dir_fd=folder, follow_symlinks=False)
                else:
                    self._put_file(source, name, folder)
        except FileExistsError:
            return
        except OSError as error:
            self.notes.append(f"{path} is not lent: it cannot be made in the workspace ({error.strerror})")

    def _put_file(self, source: Path, name: str, folder: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o600, dir_fd=folder)
        with os.fdopen(handle, "wb") as target, source.open("rb") as content:
            while chunk := content.read(_CHUNK):
                target.write(chunk)
            os.fchown(handle, *self._owner)
            os.fchmod(handle, stat.S_IMODE(os.fstat(content.fileno()).st_mode))

    @contextlib.contextmanager
    def _entered(self, parts: list[str]) -> Iterator[int]:
        """Open a folder of the workspace, made if need be, and owned like it; no link is followed."""
        handle = open_below(self._workspace, ())
        try:
            for part in parts:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=handle)
                    os.chown(part, *self._owner, dir_fd=handle, follow_symlinks=False)
                inner = os.open(part, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)


def _holds_files(handle: int, depth: int = 0) -> bool:
    """Return True if there is more than a few folders below a folder: those may be mount points of an earlier job."""
    if depth > _MOST_DEPTH:
        return True
    with os.scandir(handle) as entries:
        names = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                return True
            names.append(entry.name)
    for name in names:
        inner = os.open(name, _FOLDER, dir_fd=handle)
        try:
            if _holds_files(inner, depth + 1):
                return True
        finally:
            os.close(inner)
    return False


def _copy(source: Path, target: Path) -> None:
    """Copy a folder of the store, in which nobody writes: modes, times, links as links, hard links among each other."""
    words = ("cp", "-a", "--", str(source), str(target))
    done = process.run(words, cwd=Path("/"), env={"PATH": PATH, "LC_ALL": "C"}, timeout=_COPY_SECONDS)
    if not done.ok:
        why = "it took too long" if done.timed_out else done.error_text[-300:]
        raise External(f"an environment could not be copied for a job: {why}")


def _variables(record: EnvironmentRecord, lent: list[int]) -> dict[str, str]:
    found = {**OFFLINE, **TOOLS, **dict(record.build.environment.variables), "HOME": ENVIRONMENT}
    for name in _OF_CHECKOUT[0]:
        if _has(record, lent, name, "bin"):
            found["VIRTUAL_ENV"] = _behind(record, name)
            break
    return found


def _search_path(record: EnvironmentRecord, lent: list[int]) -> Iterator[str]:
    venvs, modules = _OF_CHECKOUT
    for name in venvs:
        if _has(record, lent, name, "bin"):
            yield f"{_behind(record, name)}/bin"
            break
    for name in modules:
        if _has(record, lent, name, ".bin"):
            yield f"{_behind(record, name)}/.bin"
    for name in _IN_HOME:
        if _is_folder(record.home, name):
            yield f"{ENVIRONMENT}/{name}"


def _has(record: EnvironmentRecord, lent: list[int], name: str, inside: str) -> bool:
    root = record.build.environment.root
    path = name if root == ROOT else f"{root}/{name}"
    return any(record.built.folders[number] == path and _is_folder(record.folder(number), inside) for number in lent)


def _behind(record: EnvironmentRecord, name: str) -> str:
    root = record.build.environment.root
    return f"{WORKSPACE}/{name}" if root == ROOT else f"{WORKSPACE}/{root}/{name}"


def _is_folder(top: Path, path: str) -> bool:
    try:
        os.close(open_below(top, path.split("/")))
    except OSError:
        return False
    return True
