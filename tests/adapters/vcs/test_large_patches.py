"""A change of files that were large is shown as a patch that fits and gives the same tree."""

import os
from pathlib import Path

import pytest

from moonmind.adapters.vcs import objects
from moonmind.runs.chain import Stage
from tests.support.git_repos import commit_to, make_bare
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

LARGE, BEYOND = 1024 * 1024, 70 * 1024 * 1024
BEFORE = {"random": os.urandom(LARGE), "text": b"a line of text\n" * (LARGE // 15)}


@pytest.mark.parametrize(("kind", "name"), [("random", "data/big file*.bin"), ("text", "ü.txt")])
@pytest.mark.parametrize(
    "after",
    [
        {"X": None},
        {"X": b"small\n"},
        {"X": b"\0\1" * 9},
        {"X": None, "moved": b"moved\n"},
        {"X": None, "X/y": b"inside\n"},
    ],
    ids=["deleted", "shrunk", "replaced", "renamed", "made a folder"],
)
def test_a_large_file_may_be_deleted_shrunk_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, after: dict[str, bytes | None]
) -> None:
    monkeypatch.setattr(objects, "LARGEST_BEFORE", LARGE // 2)
    check(tmp_path, name, BEFORE[kind], after)


def test_a_file_beyond_what_git_may_write_is_deleted(tmp_path: Path) -> None:
    check(tmp_path, "large.txt", b"a line of text\n" * (BEYOND // 15), {"X": None})


def check(tmp_path: Path, name: str, content: bytes, after: dict[str, bytes | None]) -> None:
    make_bare(tmp_path / "repositories" / f"{REPOSITORY}.git", {name: content, "README.md": "hello\n"})
    world = World(tmp_path)
    before = world.tip("main") or ""
    files = {path.replace("X", name): new for path, new in after.items()}
    wip = commit_to(world.bare, "work", {**files, "README.md": "changed\n"}, "Work", start=before)
    world.vcs.fetch(world.forge.repository(REPOSITORY))
    patch = world.vcs.patch(REPOSITORY, before, wip)
    assert len(patch) < 10_000
    restored = world.vcs.restore(REPOSITORY, world.context(Stage.APPLY).run.id, before, patch)
    assert world.vcs.changes(REPOSITORY, wip, restored) == ()
