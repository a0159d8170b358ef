"""The repository as it was fetched, read lazily and each thing once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Commit, TreeFile, Vcs
from moonmind.runs.stored_text import storable
from moonmind.speckit.feature import TASKS
from moonmind.speckit.features import Feature, find_features
from moonmind.stages.discover.foreign_commits import MOST


@dataclass(slots=True)
class Snapshot:
    """What one fetch brought; later pushes to the forge do not show in it."""

    repository: Repository
    branches: Mapping[str, str]
    """Names and commits."""
    vcs: Vcs
    _trees: dict[str, dict[str, TreeFile]] = field(default_factory=dict)
    _histories: dict[tuple[str, str], tuple[Commit, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return `owner/name`, by which the mirror is found."""
        return self.repository.full_name

    def tree(self, commit: str) -> Mapping[str, TreeFile]:
        """Map the paths of a commit that can be written down to its files."""
        if commit not in self._trees:
            files = self.vcs.listing(self.name, commit)
            self._trees[commit] = {file.path: file for file in files if storable(file.path) == file.path}
        return self._trees[commit]

    def features(self, branch: str) -> tuple[Feature, ...]:
        """List the features at a branch's tip; none where there is no such branch."""
        tip = self.branches.get(branch)
        return find_features(self.tree(tip)) if tip else ()

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file of a commit; None where there is none, or something else of that name."""
        return self.vcs.read(self.name, commit, path)

    def history(self, tip: str, base: str) -> tuple[Commit, ...]:
        """List the commits on a branch that its base branch lacks, newest first, with the tasks.md they changed."""
        span = (tip, self.branches[base])
        if span not in self._histories:
            self._histories[span] = self.vcs.history(self.name, *span, files=TASKS, limit=MOST)
        return self._histories[span]
