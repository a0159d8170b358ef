"""A snapshot reads each thing once, and leaves out what cannot be written down."""

from pathlib import Path
from typing import Any

import pytest

from moonmind.stages.discover.snapshot import Snapshot
from tests.support.git_repos import commit_to
from tests.support.stage_world import FOLDER, TASKS, World


def snapshot_of(world: World) -> Snapshot:
    repository = world.forge.repository("acme/demo")
    world.vcs.fetch(repository)
    return Snapshot(repository, world.vcs.branches(repository.full_name), world.vcs)


def test_names_that_cannot_be_written_down_are_left_out_of_the_tree(tmp_path: Path) -> None:
    world = World(tmp_path, files={"README.md": "x", "odd\udcff.md": "x"})
    assert list(snapshot_of(world).tree(world.tip("main") or "")) == ["README.md"]


def test_features_are_those_at_the_tip_and_none_where_there_is_no_branch(tmp_path: Path) -> None:
    snapshot = snapshot_of(World(tmp_path))
    assert [feature.path for feature in snapshot.features("main")] == [FOLDER]
    assert snapshot.features("nowhere") == ()


def test_trees_and_histories_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    tip = commit_to(world.bare, "topic", {TASKS: "# Tasks\n"}, "Change", start=world.tip("main"))
    snapshot = snapshot_of(world)
    asked: list[str] = []
    for name in ("listing", "history"):
        real = getattr(world.vcs, name)

        def counted(*given: Any, name: str = name, real: Any = real, **named: Any) -> Any:
            asked.append(name)
            return real(*given, **named)

        monkeypatch.setattr(world.vcs, name, counted)
    for _ in range(3):
        assert TASKS in snapshot.tree(tip)
        (commit,) = snapshot.history(tip, "main")
        assert (commit.id, commit.touched) == (tip, (TASKS,))
        assert snapshot.history(world.tip("main") or "", "main") == ()
    assert sorted(asked) == ["history", "history", "listing"]
