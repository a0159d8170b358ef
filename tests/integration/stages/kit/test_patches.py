import hashlib
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.stages.kit import patches
from moonmind.stages.kit.patches import Patch, keep_patch, read_patch
from tests.support.git_repos import commit_to, make_bare
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

SECRET = "ghp_averysecrettokenvalue0123456789"


def patch_of(
    folder: Path, files: dict[str, bytes | str | None], modes: dict[str, str] | None = None
) -> tuple[World, Patch, str | None]:
    make_bare(folder / "repositories" / f"{REPOSITORY}.git", {"README.md": "hello\n", "old.md": f"{SECRET}\n"})
    world = World(folder, secrets=(SECRET,))
    before = world.tip("main") or ""
    after = commit_to(world.bare, "work", files, "Work", start=before, modes=modes)
    world.vcs.fetch(world.forge.repository(REPOSITORY))
    context = world.context(Stage.APPLY)
    patch = read_patch(context, REPOSITORY, before, after)
    return world, patch, keep_patch(context, patch, "patches/x.diff")


def test_an_honest_change_is_kept_and_not_shown_before_a_look(tmp_path: Path) -> None:
    world, patch, digest = patch_of(tmp_path, {"a.py": "print()\n"})
    assert [change.path for change in patch.changes] == ["a.py"]
    assert patch.sizes["a.py"] == 8
    assert patch.leaks == ()
    assert world.artifacts.hidden("patches/x.diff") == patch.content
    assert world.artifacts.read("patches/x.diff") == patches.NOT_SEEN_YET.encode()
    assert patch.content is not None
    assert digest == f"sha256:{hashlib.sha256(patch.content).hexdigest()}"


@pytest.mark.parametrize(
    ("files", "modes", "where"),
    [
        ({"a.py": f"x = '{SECRET}'\n"}, {}, "a.py"),
        ({"a.bin": b"\0" + SECRET.encode()}, {}, "a.bin"),
        ({"l": SECRET}, {"l": "120000"}, "l"),
        ({f"d/{SECRET}": "x"}, {}, "d/[redacted]"),
        ({"old.md": None}, {}, "(a line that the change removes or moves)"),
    ],
)
def test_a_known_secret_is_found_wherever_it_hides_and_nothing_is_stored(
    tmp_path: Path, files: dict[str, bytes | str | None], modes: dict[str, str], where: str
) -> None:
    world, patch, digest = patch_of(tmp_path, files, modes)
    assert patch.leaks == (where,)
    assert digest is None
    assert world.artifacts.rows == {}


def test_a_huge_change_is_listed_but_not_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCH_LIMIT", 10)
    _, patch, digest = patch_of(tmp_path, {"a.py": "x" * 11})
    assert (patch.content, digest) == (None, None)
    assert [change.path for change in patch.changes] == ["a.py"]
