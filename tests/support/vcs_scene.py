"""A forge's bare repository, the git adapter beside it, and the edits an agent makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.ports.forge import Repository
from moonmind.ports.vcs import Vcs
from moonmind.settings import ambient_environment
from tests.support.git_repos import commit_to, make_bare

NAME = "acme/demo"
RUN = UUID("11111111-2222-3333-4444-555555555555")
FILES: Mapping[str, str] = {
    "README.md": "hello\n",
    "src/app.py": "print('hi')\n",
    "tool.sh": "#!/bin/sh\n",
    ".gitignore": "*.log\n",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One repository at the forge, fetched by one adapter."""

    vcs: Vcs
    bare: Path
    state: Path
    repository: Repository
    start: str

    @property
    def mirror(self) -> Path:
        """The one mirror that was made."""
        (mirror,) = (self.state / "mirrors").glob("*.git")
        return mirror


def a_vcs(state: Path, **options: Any) -> Vcs:
    """Build the adapter on a state folder."""
    return GitVcs(
        VcsOptions(
            state_folder=state,
            scheme="file",
            git_environment=dict[str, str],
            environment=ambient_environment(),
            **options,
        )
    )


def a_scene(folder: Path) -> Scene:
    """Make a forge with FILES in `acme/demo`, fetched once."""
    bare = folder / "forge" / "demo.git"
    make_bare(bare, {})
    start = commit_to(bare, "main", FILES, "Begin\n", modes={"tool.sh": "100755"})
    repository = Repository(NAME, f"file://{bare}", "main")
    vcs = a_vcs(folder / "state")
    vcs.fetch(repository)
    return Scene(vcs, bare, folder / "state", repository, start)


def edit(folder: Path) -> None:
    """Change a folder in each way that git can tell apart."""
    (folder / "README.md").write_text("hello\nworld\n")
    (folder / "src/app.py").unlink(missing_ok=True)
    (folder / "two\nlines größe").write_text("one\ntwo\n")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "link").unlink(missing_ok=True)
    (folder / "link").symlink_to("README.md")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "tool.sh").chmod(0o644)
    (folder / "noise.log").write_text("ignored")
