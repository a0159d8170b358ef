"""The bare repositories of the local forge: found, made from the sample, and read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from moonmind.adapters.files import building_folder, locked
from moonmind.adapters.git import Git
from moonmind.errors import ForgeError, InvalidRequest, RepositoryUnavailable
from moonmind.runs import naming

BRANCH = "main"
_MADE_AT = 1_767_225_600
"""Seconds since 1970: the one commit of a sample repository is the same everywhere."""
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BareRepository:
    """One repository of the local forge."""

    full_name: str
    path: Path


class BareRepositories:
    """The folder of bare repositories. Names are found in any spelling, as on a real forge."""

    def __init__(
        self, git: Git, folder: Path, sample: Callable[[], Mapping[str, bytes]], sample_only: str | None
    ) -> None:
        self._git, self._folder, self._sample, self._sample_only = git, folder.absolute(), sample, sample_only

    def find(self, name: str) -> BareRepository:
        """Find a repository, or make it from the sample; RepositoryUnavailable for what can be no name."""
        try:
            wanted = naming.repository(name)
        except InvalidRequest as error:
            raise RepositoryUnavailable(error.message) from error
        return self._existing(wanted) or self._from_sample(wanted)

    def _from_sample(self, wanted: str) -> BareRepository:
        # A mistyped name must not become a repository that an agent is then paid to work on.
        if self._sample_only is not None and naming.repository_key(wanted) != self._sample_only:
            raise RepositoryUnavailable(
                f"there is no repository {wanted} in {self._folder}",
                remediation=f"Create it: `git init --bare {self._folder / wanted}.git`, push to it, then start a new run.",
            )
        try:
            # One at a time: two spellings of one name must not become two repositories.
            with locked(self._folder / ".making.lock", _LOCK_SECONDS):
                return self._existing(wanted) or self._make(wanted, self._sample())
        except (TimeoutError, OSError) as error:
            raise ForgeError(f"the repository {wanted} cannot be created: {error}", path=str(self._folder)) from error

    def default_branch(self, repository: BareRepository) -> str:
        """Return the branch that HEAD names."""
        said = self._git.run("symbolic-ref", "HEAD", git_dir=repository.path)
        return said.text.strip().removeprefix("refs/heads/")

    def branches(self, repository: BareRepository) -> dict[str, str]:
        """Map the branches to their commits."""
        listed = self._git.run(
            "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", git_dir=repository.path
        )
        rows = (line.split(" ", 1) for line in listed.text.splitlines())
        return {ref.removeprefix("refs/heads/"): commit for commit, ref in rows}

    def holds(self, repository: BareRepository, base: str, commit: str) -> bool:
        """Return True if a commit is part of the history of `base`."""
        done = self._git.run("merge-base", "--is-ancestor", commit, base, git_dir=repository.path, accept=(0, 1, 128))
        return done.exit_code == 0  # 128: the commit is gone with its branch

    def _existing(self, name: str) -> BareRepository | None:
        owner, _, title = name.partition("/")
        for folder in _spelled(self._folder, owner):
            for place in _spelled(folder, f"{title}.git"):
                self._require_inside(place)
                return BareRepository(f"{folder.name}/{place.name.removesuffix('.git')}", place)
        return None

    def _make(self, name: str, files: Mapping[str, bytes]) -> BareRepository:
        owner, _, title = name.partition("/")
        folder = next(iter(_spelled(self._folder, owner)), self._folder / owner)
        self._require_inside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{title}.git"
        building = building_folder(place)
        building.chmod(0o755)  # people clone from here
        options = ("--quiet", "--bare", "--template=", f"--initial-branch={BRANCH}")
        self._git.run("init", *options, "--end-of-options", str(building), git_dir=None)
        self._git.run("fast-import", "--quiet", git_dir=building, data=_as_commit(files))
        building.rename(place)
        return BareRepository(f"{folder.name}/{title}", place)

    def _require_inside(self, place: Path) -> None:
        if not place.resolve().is_relative_to(self._folder.resolve()):
            raise RepositoryUnavailable(f"{place.name} is a link that leads out of the local repositories")


def _spelled(folder: Path, name: str) -> list[Path]:
    """List the folders of this name in any spelling, the exact one first."""
    if (folder / name).is_dir():
        return [folder / name]
    if not folder.is_dir():
        return []
    key = name.casefold()
    return sorted(path for path in folder.iterdir() if path.name.casefold() == key and path.is_dir())


def _as_commit(files: Mapping[str, bytes]) -> bytes:
    """Write the one commit as git's import stream."""
    message = b"Start from the sample repository\n"
    parts = [
        f"commit refs/heads/{BRANCH}\n".encode(),
        f"committer MoonMind <noreply@moonmind.invalid> {_MADE_AT} +0000\n".encode(),
        b"data %d\n%s" % (len(message), message),
    ]
    for path, content in sorted(files.items()):
        mode = "100755" if path.endswith(".sh") else "100644"
        quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        parts += [f'M {mode} inline "{quoted}"\n'.encode(), b"data %d\n%s\n" % (len(content), content)]
    return b"".join(parts) + b"done\n"
