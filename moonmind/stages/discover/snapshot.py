"""The repository as it was fetched, read lazily and each thing once."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from moonmind.errors import SpecUnreadable, VcsRefused
from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Commit, TreeFile, Vcs
from moonmind.runs.stored_text import storable
from moonmind.speckit.feature import TASKS
from moonmind.speckit.features import Feature, survey
from moonmind.speckit.pointer import names_of, with_named
from moonmind.stages.discover.foreign_commits import MOST

LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is read."""
_AHEAD = 32 * 1024 * 1024
"""Bytes that are read before they are asked for, and kept."""
_TREES = 4
"""Listings that are kept, those that were used last: one of a large repository takes tens of megabytes."""


@dataclass(slots=True)
class Snapshot:
    """What one fetch brought; later pushes to the forge do not show in it."""

    repository: Repository
    branches: Mapping[str, str]
    """Names and commits."""
    vcs: Vcs
    requested: str = ""
    """What the run was asked for: a feature that is set aside otherwise."""
    _trees: dict[str, dict[str, TreeFile]] = field(default_factory=dict)
    _surveys: dict[str, tuple[tuple[Feature, ...], tuple[Feature, ...]]] = field(default_factory=dict)
    """By commit: features, and those set aside."""
    _features: dict[str, tuple[Feature, ...]] = field(default_factory=dict)
    """By branch."""
    _blobs: dict[str, bytes] = field(default_factory=dict)
    """By object id: what was read ahead."""
    _histories: dict[tuple[str, str], tuple[Commit, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return `owner/name`, by which the mirror is found."""
        return self.repository.full_name

    def tree(self, commit: str) -> Mapping[str, TreeFile]:
        """Map the paths of a commit that can be written down to its files."""
        found = self._trees.pop(commit, None)
        if found is None:
            files = self.vcs.listing(self.name, commit)
            found = {file.path: file for file in files if storable(file.path) == file.path}
            for earlier in list(self._trees)[: 1 - _TREES]:
                del self._trees[earlier]
        self._trees[commit] = found  # as the one used last
        return found

    def features(self, branch: str) -> tuple[Feature, ...]:
        """List the features at a branch's tip; none where there is no such branch."""
        tip = self.branches.get(branch)
        if tip is None:
            return ()
        if branch not in self._features:
            tree = self.tree(tip)
            if tip not in self._surveys:
                self._surveys[tip] = survey(tree)
            names = () if branch == self.repository.default_branch else names_of(branch)
            self._features[branch] = with_named(
                self._surveys[tip], tree, lambda path: self.text(tip, path), (self.requested, *names)
            )
        return self._features[branch]

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file of a commit; None where there is none, or something else of that name.

        A tree that is not known yet is not listed for it. Raises SpecUnreadable for a file of more than LARGEST bytes.
        """
        if commit not in self._trees:
            try:
                return self.vcs.read(self.name, commit, path, limit=LARGEST)
            except VcsRefused as error:
                if "size" not in error.details:
                    raise
                raise SpecUnreadable(f"{error.message}.") from None
        file = self._file(commit, path)
        if file is None:
            return None
        if file.size > LARGEST:
            raise SpecUnreadable(f"{path} has {file.size} bytes; at most {LARGEST} are read.")
        if file.object_id in self._blobs:
            return self._blobs[file.object_id]
        return self.vcs.blobs(self.name, (file.object_id,))[file.object_id]

    def text(self, commit: str, path: str) -> str:
        """Return a pointer's text; empty, and so no pointer, for a link and for a file that is too large to be one."""
        with suppress(SpecUnreadable):
            return (self.read(commit, path) or b"").decode("utf-8", "replace")
        return ""

    def read_ahead(self, places: Iterable[tuple[str, str]]) -> None:
        """Read files that will be asked for, pairs of commit and path, with one command: as many as there is room for.

        Those of trees that are not known are left.
        """
        wanted: dict[str, int] = {}
        room = _AHEAD - sum(map(len, self._blobs.values()))
        for commit, path in places:
            file = self._file(commit, path) if commit in self._trees else None
            if file is None or file.object_id in wanted or file.object_id in self._blobs:
                continue
            if file.size > min(room, LARGEST):
                continue
            wanted[file.object_id] = file.size
            room -= file.size
        if wanted:
            self._blobs |= self.vcs.blobs(self.name, tuple(wanted))

    def holding(self, places: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return those pairs of commit and path at which there is something; no tree is listed for it."""
        return self.vcs.holding(self.name, places)

    def _file(self, commit: str, path: str) -> TreeFile | None:
        file = self.tree(commit).get(path)
        return file if file is not None and file.mode.startswith("100") else None

    def history(self, tip: str, base: str) -> tuple[Commit, ...]:
        """List the commits on a branch that its base branch lacks, newest first, with the tasks.md they changed."""
        span = (tip, self.branches[base])
        if span not in self._histories:
            self._histories[span] = self.vcs.history(self.name, *span, files=TASKS, limit=MOST)
        return self._histories[span]
