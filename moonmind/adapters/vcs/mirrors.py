"""One bare mirror for each repository: all branches of the forge, and the refs that keep runs' objects alive."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from moonmind.adapters.files import building_folder, locked, replace_file
from moonmind.adapters.git import Git
from moonmind.adapters.trees import remove_tree
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import VcsRefused
from moonmind.ports.forge import Repository
from moonmind.runs.naming import repository_key, run_ref

log = structlog.get_logger(__name__)

_TRACKING = "refs/remotes/origin/"
_REFSPEC = f"+refs/heads/*:{_TRACKING}*"
_OBJECT = re.compile(r"[0-9a-f]{40}")

ATTRIBUTES = b"* -filter -text -eol -ident -working-tree-encoding -export-subst -merge\n"
"""For `info/attributes`, which beats every `.gitattributes`: bytes go in and out as they are and no filter runs."""


def object_name(text: str) -> str:
    """Check a full object name before it becomes an argument; raises VcsRefused."""
    if not _OBJECT.fullmatch(text):
        raise VcsRefused(f"not a full commit name: {text[:80]!r}")
    return text


class Mirrors:
    """The mirrors of one state folder. A mirror is found by `owner/name` alone; its URL is given with each fetch."""

    def __init__(self, git: Git, folder: Path, options: VcsOptions) -> None:
        self._git, self._folder = git, folder
        self._scheme, self._host = options.scheme, options.host
        self._lock_seconds = options.lock_seconds
        self.credentials = options.git_environment

    def place(self, repository: str) -> Path:
        """Return where the mirror of a repository is, or will be; different forges never share one."""
        origin = f"{self._scheme}://{self._host}" if self._host else self._scheme
        key = hashlib.sha256(f"{origin} {repository_key(repository)}".encode()).hexdigest()
        return self._folder / f"{key}.git"

    def existing(self, repository: str) -> Path:
        """Return the mirror's folder; VcsRefused if this host has never fetched the repository."""
        place = self.place(repository)
        if not place.is_dir():
            raise VcsRefused(
                f"this host has no mirror of {repository} yet",
                remediation="Retry with restart_from_discovery: discovery fetches the repository.",
            )
        return place

    def fetch(self, repository: Repository) -> None:
        """Bring all branches up to date. A caller that waited while another fetch began and ended uses that one."""
        url = self.url(repository)
        place = self.place(repository.full_name)
        asked = _Fetches.read(place)
        with self.lock(repository.full_name):
            seen = _Fetches.read(place)
            if place.is_dir() and seen.url == url and seen.done > asked.begun:
                return
            self._make(place)
            _Fetches(seen.begun + 1, seen.done, url).write(place)
            self._git.run(
                "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                "--no-auto-maintenance", "--end-of-options", url, _REFSPEC,
                git_dir=place, environment=self.credentials(), network=True,
            )  # fmt: skip
            _Fetches(seen.begun + 1, seen.begun + 1, url).write(place)

    def url(self, repository: Repository) -> str:
        """Check the clone URL: the allowed scheme and host, and no credential inside."""
        parts = urlsplit(repository.clone_url)
        if parts.scheme != self._scheme:
            raise VcsRefused(f"git may use {self._scheme}:// only, not {parts.scheme or 'a path'}", scheme=parts.scheme)
        if parts.password is not None or (parts.username is not None and self._scheme != "file"):
            raise VcsRefused("the clone URL must not hold a user or a password")
        if parts.netloc != self._host:
            raise VcsRefused(
                f"git may connect to {self._host or 'no host'} only, not to {parts.netloc}", host=parts.netloc
            )
        return repository.clone_url

    @contextlib.contextmanager
    def lock(self, repository: str) -> Iterator[None]:
        """Hold the mirror's lock: for fetches, and for writers of the same refs.

        It spares the forge a second fetch; that refs stay whole is git's own doing. So its holder is waited for only so
        long: a process that was stopped in the middle of a fetch must not hold up every other run of the repository.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self.place(repository).with_suffix(".lock"), self._lock_seconds))
            except TimeoutError:
                log.warning("mirror.not_locked", repository=repository, seconds=self._lock_seconds)
            yield

    def _make(self, place: Path) -> None:
        if place.is_dir():
            return
        building = building_folder(place)
        self._git.run("init", "--quiet", "--bare", "--template=", "--end-of-options", str(building), git_dir=None)
        for name, value in (("remote.origin.fetch", _REFSPEC), ("gc.auto", "0")):
            self._git.run("config", name, value, git_dir=building)
        info = building / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_bytes(ATTRIBUTES)
        try:
            building.rename(place)
        except OSError:
            if not place.is_dir():
                raise
            remove_tree(building)  # another process, which did not wait for our lock, was faster

    def branches(self, repository: str) -> dict[str, str]:
        """Map the mirrored branch names to their commits."""
        listed = self._git.run(
            "for-each-ref", "--format=%(objectname) %(refname)", _TRACKING, git_dir=self.existing(repository)
        )
        rows = (line.split(" ", 1) for line in listed.stdout.decode("utf-8", "surrogateescape").splitlines())
        return {name.removeprefix(_TRACKING): commit for commit, name in rows}

    def note_pushed(self, repository: str, branch: str, commit: str) -> None:
        """Record what a push has published, so that the mirror need not be fetched to know it."""
        with self.lock(repository):
            self._git.run("update-ref", f"{_TRACKING}{branch}", commit, git_dir=self.existing(repository))

    def pin(self, repository: str, run_id: UUID, name: str, commit: str) -> None:
        """Keep a commit alive as a run's `start` or `wip`."""
        self._git.run("update-ref", run_ref(run_id, name), object_name(commit), git_dir=self.existing(repository))

    def pinned(self, repository: str, run_id: UUID, name: str) -> str | None:
        """Return the commit that a run has pinned."""
        if not self.place(repository).is_dir():
            return None
        ref = run_ref(run_id, name)
        listed = self._git.run("for-each-ref", "--format=%(objectname)", ref, git_dir=self.place(repository))
        return listed.text.strip() or None

    def unpin(self, repository: str, run_id: UUID) -> None:
        """Let go of what a run has pinned."""
        for name in ("start", "wip"):
            if self.pinned(repository, run_id, name) is not None:
                self._git.run("update-ref", "-d", run_ref(run_id, name), git_dir=self.place(repository))

    def erase(self, repository: str, run_id: UUID) -> None:
        """Unpin a run, and remove the objects of its work that no ref holds.

        They lie loose, since nothing here packs what a run wrote: a file each. Git's own `prune` would take other
        runs' objects too, those that are written and not pinned yet.
        """
        wip = self.pinned(repository, run_id, "wip")
        self.unpin(repository, run_id)
        if wip is None:
            return
        mirror = self.existing(repository)
        listed = self._git.run("rev-list", "--objects", "--no-object-names", wip, "--not", "--all", git_dir=mirror)
        for name in map(object_name, listed.text.split()):
            (mirror / "objects" / name[:2] / name[2:]).unlink(missing_ok=True)


class _Fetches:
    """How many fetches of a mirror have begun, and which was the last to end well."""

    def __init__(self, begun: int = 0, done: int = 0, url: str = "") -> None:
        self.begun, self.done, self.url = begun, done, url

    @classmethod
    def read(cls, place: Path) -> "_Fetches":
        try:
            stored = json.loads(place.with_suffix(".fetches").read_bytes())
            return cls(int(stored["begun"]), int(stored["done"]), str(stored["url"]))
        except FileNotFoundError:
            return cls()

    def write(self, place: Path) -> None:
        body = {"begun": self.begun, "done": self.done, "url": self.url}
        replace_file(place.with_suffix(".fetches"), json.dumps(body).encode())
