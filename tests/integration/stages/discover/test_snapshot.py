"""A snapshot reads each thing once, and leaves out what cannot be written down."""

from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import SpecUnreadable
from moonmind.ports.vcs import TreeFile
from moonmind.stages.discover.snapshot import LARGEST, Snapshot
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


def test_a_file_at_another_commit_is_read_without_its_whole_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    files: dict[str, bytes | str | None] = {"a.md": "text", "link.md": "a.md", "large.md": b"x" * (LARGEST + 1)}
    tip = commit_to(world.bare, "topic", files, "Change", start=world.tip("main"), modes={"link.md": "120000"})
    snapshot = snapshot_of(world)
    monkeypatch.setattr(world.vcs, "listing", None)
    snapshot.read_ahead([(tip, "a.md")])
    assert snapshot.read(tip, "a.md") == b"text"
    assert (snapshot.read(tip, "link.md"), snapshot.read(tip, "none.md")) == (None, None)
    with pytest.raises(SpecUnreadable, match=r"large\.md has"):
        snapshot.read(tip, "large.md")


def test_a_few_trees_are_kept_those_that_were_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    main = str(world.tip("main"))
    tips = [commit_to(world.bare, f"t{n}", {f"{n}.md": "x"}, "Change", start=main) for n in range(6)]
    snapshot = snapshot_of(world)
    listed: list[str] = []
    real = world.vcs.listing

    def counted(name: str, commit: str) -> tuple[TreeFile, ...]:
        listed.append(commit)
        return real(name, commit)

    monkeypatch.setattr(world.vcs, "listing", counted)
    for tip in tips:
        assert snapshot.tree(main)
        assert snapshot.tree(tip)
    assert listed == [main, *tips]
    assert "0.md" in snapshot.tree(tips[0])
    assert listed[-1] == tips[0]
