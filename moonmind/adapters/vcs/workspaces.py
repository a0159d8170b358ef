"""The folders that agents edit, each beside the service's own git directory that made it and reads it back."""

import contextlib
import json
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from moonmind.adapters.files import building_folder, discard, locked, replace_file
from moonmind.adapters.git import LOCAL_SECONDS, Git
from moonmind.adapters.vcs.commits import Commits
from moonmind.adapters.vcs.mirrors import ATTRIBUTES, Mirrors
from moonmind.adapters.vcs.objects import GITLINK, Objects, raw_name
from moonmind.errors import VcsError, VcsRefused
from moonmind.ports.vcs import Workspace

_TREE, _GIT, _RECORD = "tree", "git", "workspace.json"
BASE_INDEX = "base.index"
"""The starting tree as checked out, without its gitlinks: git runs commands inside a gitlink that its index knows."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a workspace since it was made."""

    starting_commit: str
    gitlinks: Mapping[str, str]


class Workspaces:
    """The workspaces of one state folder: `<run id>/tree` for the agent, `<run id>/git` for the service."""

    def __init__(self, git: Git, folder: Path, mirrors: Mirrors, objects: Objects, commits: Commits) -> None:
        self._git, self._folder = git, folder
        self._mirrors, self._objects, self._commits = mirrors, objects, commits

    @contextlib.contextmanager
    def lock(self, run_id: UUID) -> Iterator[Path]:
        """Hold the run's folder against other processes, and against git commands of dead ones; yields its place."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._lock_file(run_id), LOCAL_SECONDS, hand_on=True))
            except TimeoutError as error:
                raise VcsError(f"the workspace of run {run_id} is held by another process") from error
            yield self._folder / str(run_id)

    def find(self, run_id: UUID) -> tuple[Workspace, Record] | None:
        """Find the run's folder on this host, whole."""
        place = self._folder / str(run_id)
        try:
            stored = json.loads((place / _RECORD).read_bytes())
        except FileNotFoundError:
            return None
        if not (place / _GIT).is_dir():
            return None
        record = Record(str(stored["starting_commit"]), dict(stored["gitlinks"]))
        return Workspace(place / _TREE, place / _GIT, record.starting_commit), record

    def open(self, repository: str, run_id: UUID, commit: str, resume: str | None) -> Workspace:
        """Make the run's folder beside its place and move it there whole, or find it."""
        mirror = self._mirrors.existing(repository)
        with self.lock(run_id) as place:
            found = self.find(run_id)
            if found is not None and found[0].starting_commit == commit and is_folder(found[0].path):
                return found[0]
            self._discard(place)
            building = building_folder(place)
            record = self._build(mirror, building, commit, resume or commit)
            self._mirrors.pin(repository, run_id, "start", commit)
            body = {"starting_commit": record.starting_commit, "gitlinks": dict(record.gitlinks)}
            replace_file(building / _RECORD, json.dumps(body).encode())
            building.rename(place)
            return Workspace(place / _TREE, place / _GIT, commit)

    def check_out(self, repository: str, commit: str, place: Path) -> None:
        """Make a folder of a commit's files, whole or not at all, with such a throw-away repository as agents get."""
        mirror = self._mirrors.existing(repository)
        building = building_folder(place)
        try:
            self._build(mirror, building, commit, commit)
            (building / _TREE).rename(place)
        finally:
            self._discard(building)

    def close(self, run_id: UUID) -> None:
        """Remove the run's folder and git directory."""
        if not self._folder.is_dir():
            return
        with self.lock(run_id) as place:
            self._discard(place)
            self._lock_file(run_id).unlink()

    def _build(self, mirror: Path, place: Path, commit: str, shown: str) -> Record:
        tree, service, start = place / _TREE, place / _GIT, place / "start.index"
        tree.mkdir()
        self._git.run("init", "--quiet", "--bare", "--template=", "--end-of-options", str(service), git_dir=None)
        (service / "info").mkdir(exist_ok=True)
        (service / "info" / "attributes").write_bytes(ATTRIBUTES)
        alternates = service / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text(f"{mirror / 'objects'}\n", "utf-8")
        index = {"GIT_INDEX_FILE": str(start)}
        self._git.run("read-tree", self._objects.tree(mirror, shown), git_dir=service, environment=index)
        self._git.run(
            "checkout-index", "--all", "--index", "--quiet", git_dir=service, work_tree=tree, environment=index
        )
        if shown != commit:
            self._git.run("read-tree", self._objects.tree(mirror, commit), git_dir=service, environment=index)
            self._git.run(
                "update-index", "-q", "--refresh", git_dir=service, work_tree=tree, environment=index, accept=(0, 1)
            )
        self._give_git(mirror, tree, commit, start)
        gitlinks = {file.path: file.object_id for file in self._objects.listing(mirror, commit) if file.mode == GITLINK}
        if gitlinks:
            gone = b"".join(b"0 " + b"0" * 40 + b"\t" + raw_name(path) + b"\0" for path in gitlinks)
            self._git.run("update-index", "-z", "--index-info", git_dir=service, environment=index, data=gone)
        start.rename(service / BASE_INDEX)
        return Record(commit, gitlinks)

    def _give_git(self, mirror: Path, tree: Path, commit: str, index: Path) -> None:
        """Make the agent's throw-away repository: the starting tree as its one commit, and no way to anywhere."""
        agents = tree / ".git"
        self._git.run(
            "init", "--quiet", "--template=", "--initial-branch=main", "--end-of-options", str(tree), git_dir=None
        )
        for name, value in (
            ("user.name", "MoonMind agent"),
            ("user.email", "agent@moonmind.invalid"),
            ("core.hooksPath", "/dev/null"),
        ):
            self._git.run("config", name, value, git_dir=agents)
        top = self._objects.tree(mirror, commit)
        pack = agents / "objects" / "pack" / "pack"
        pack.parent.mkdir(parents=True, exist_ok=True)
        self._git.run("pack-objects", "--quiet", "--revs", str(pack), git_dir=mirror, data=f"{top}\n".encode())
        date = self._objects.date(mirror, commit)
        first = self._commits.write(agents, tree=top, parent=None, message="Starting point\n", date=date)
        self._git.run("update-ref", "refs/heads/main", first, git_dir=agents)
        shutil.copy2(index, agents / "index")

    def _discard(self, place: Path) -> None:
        try:
            discard(place)
        except OSError as error:
            raise VcsError(f"the workspace {place.name} cannot be removed: {error}", path=str(place)) from error

    def _lock_file(self, run_id: UUID) -> Path:
        return self._folder / f".{run_id}.lock"


def is_folder(path: Path) -> bool:
    """Return True if there is a folder here, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def require_folder(path: Path) -> None:
    """Raise VcsRefused unless the agent's folder is still a folder; one that the agent closed is opened again."""
    if not is_folder(path):
        raise VcsRefused("the agent's folder is gone, or something else stands in its place", path=path.name)
    if path.lstat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
        path.chmod(0o700)
