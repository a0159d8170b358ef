"""What every Vcs adapter promises about workspaces: handed out, taken back, resumed, rebuilt, removed."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from moonmind.errors import VcsError, VcsRefused
from tests.support.git_repos import commit_to, git, log_of
from tests.support.vcs_scene import NAME, RUN, Scene, a_scene, a_vcs, edit


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


def test_a_workspace_is_the_commits_tree_with_a_repository_that_leads_nowhere(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    assert {p.name for p in workspace.path.iterdir()} == {".git", ".gitignore", "README.md", "src", "tool.sh"}
    assert (workspace.path / "tool.sh").stat().st_mode & 0o111
    assert git(workspace.path, "status", "--porcelain") == b""
    assert git(workspace.path, "rev-list", "--count", "--all").strip() == b"1"
    assert git(workspace.path, "remote") == b""
    assert git(workspace.path, "fsck", "--full") == b""
    assert not (workspace.path / ".git/objects/info/alternates").exists()
    (workspace.path / "new").write_text("x")
    git(workspace.path, "add", "new")
    git(workspace.path, "commit", "-qm", "The agent may commit")


def test_a_check_out_is_as_a_workspace_and_belongs_to_no_run(scene: Scene, tmp_path: Path) -> None:
    opened = scene.vcs.open_workspace(NAME, RUN, scene.start).path
    folder = tmp_path / "somewhere/else"
    folder.parent.mkdir()
    scene.vcs.check_out(NAME, scene.start, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["else"]
    listed = {path.relative_to(opened): path.lstat().st_mode for path in opened.rglob("*") if ".git" not in path.parts}
    found = {path.relative_to(folder): path.lstat().st_mode for path in folder.rglob("*") if ".git" not in path.parts}
    assert found == listed
    assert git(folder, "status", "--porcelain") == b""
    assert git(folder, "rev-list", "--count", "--all").strip() == b"1"
    with pytest.raises(VcsError):
        scene.vcs.check_out(NAME, "0" * 40, folder.parent / "nowhere")
    assert [path.name for path in folder.parent.iterdir()] == ["else"]


def test_opening_again_finds_the_folder_with_the_agents_work(scene: Scene) -> None:
    first = scene.vcs.open_workspace(NAME, RUN, scene.start)
    (first.path / "work").write_text("half")
    again = scene.vcs.open_workspace(NAME, RUN, scene.start)
    assert again == first == scene.vcs.find_workspace(NAME, RUN)
    assert (again.path / "work").read_text() == "half"
    assert scene.vcs.find_workspace(NAME, uuid4()) is None


def test_another_starting_commit_makes_a_new_folder(scene: Scene) -> None:
    old = scene.vcs.open_workspace(NAME, RUN, scene.start)
    (old.path / "work").write_text("half")
    later = commit_to(scene.bare, "main", {"b": "1"}, "Later")
    scene.vcs.fetch(scene.repository)
    new = scene.vcs.open_workspace(NAME, RUN, later)
    assert new.starting_commit == later
    assert not (new.path / "work").exists()
    assert (new.path / "b").read_text() == "1"
    with pytest.raises(VcsRefused, match="created again"):
        scene.vcs.capture(NAME, RUN, old)


def test_an_untouched_folder_captures_as_no_change(scene: Scene) -> None:
    wip = scene.vcs.capture(NAME, RUN, scene.vcs.open_workspace(NAME, RUN, scene.start)).commit
    assert scene.vcs.changes(NAME, scene.start, wip) == ()
    assert scene.vcs.patch(NAME, scene.start, wip) == b""


def test_a_capture_holds_what_the_agent_changed_and_nothing_that_is_ignored(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    edit(workspace.path)
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    seen = {
        c.path: (c.status, c.old_mode, c.new_mode, c.added, c.deleted)
        for c in scene.vcs.changes(NAME, scene.start, wip)
    }
    assert seen == {
        "README.md": ("M", "100644", "100644", 1, 0),
        "data.bin": ("A", "000000", "100644", -1, -1),
        "link": ("A", "000000", "120000", 1, 0),
        "run.sh": ("A", "000000", "100755", 1, 0),
        "src/app.py": ("D", "100644", "000000", 0, 1),
        "tool.sh": ("M", "100755", "100644", 0, 0),
        "two\nlines größe": ("A", "000000", "100644", 2, 0),
    }
    assert [c.link_target for c in scene.vcs.changes(NAME, scene.start, wip) if c.path == "link"] == ["README.md"]


def test_a_capture_is_pinned_and_the_same_folder_gives_the_same_commit(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    assert scene.vcs.wip(NAME, RUN) is None
    edit(workspace.path)
    first = scene.vcs.capture(NAME, RUN, workspace).commit
    assert scene.vcs.wip(NAME, RUN) == first
    (workspace.path / "more").write_text("x")
    second = scene.vcs.capture(NAME, RUN, workspace).commit
    assert second != first
    assert scene.vcs.wip(NAME, RUN) == second
    (workspace.path / "more").unlink()
    assert scene.vcs.capture(NAME, RUN, workspace).commit == first
    (logged, begin) = log_of(scene.mirror, first)
    assert (logged.author, logged.parents) == ("MoonMind <noreply@moonmind.invalid>", (scene.start,))
    assert logged.committed_at == begin.committed_at


def test_a_change_that_keeps_size_and_time_is_captured_all_the_same(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    path = workspace.path / "README.md"
    before = path.stat()
    path.write_text("HELLO\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    assert [change.path for change in scene.vcs.changes(NAME, scene.start, wip)] == ["README.md"]


def test_resuming_shows_the_earlier_work_as_uncommitted_changes(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    edit(workspace.path)
    (workspace.path / "noise.log").unlink()
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    scene.vcs.close_workspace(NAME, RUN)
    assert scene.vcs.find_workspace(NAME, RUN) is None
    again = scene.vcs.open_workspace(NAME, RUN, scene.start, resume=wip)
    assert again.starting_commit == scene.start
    status = git(again.path, "status", "--porcelain", "-z")
    assert b" M README.md" in status
    assert b" D src/app.py" in status
    assert b"?? data.bin" in status
    assert scene.vcs.capture(NAME, RUN, again).commit == wip


def test_a_patch_rebuilds_the_same_wip_on_a_fresh_host(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    edit(workspace.path)
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    patch = scene.vcs.patch(NAME, scene.start, wip)
    assert scene.vcs.patch(NAME, scene.start, wip) == patch
    elsewhere = a_vcs(scene.state / "other")
    elsewhere.fetch(scene.repository)
    assert elsewhere.wip(NAME, RUN) is None
    assert elsewhere.restore(NAME, RUN, scene.start, patch) == wip == elsewhere.wip(NAME, RUN)
    assert elsewhere.restore(NAME, RUN, scene.start, patch) == wip
    opened = elsewhere.open_workspace(NAME, RUN, scene.start, resume=wip)
    assert (opened.path / "data.bin").read_bytes() == bytes(range(256)) * 8
    empty = elsewhere.restore(NAME, RUN, scene.start, b"")
    assert elsewhere.changes(NAME, scene.start, empty) == ()


@pytest.mark.parametrize("patch", [b"no patch", b"diff --git a/README.md b/README.md\n--- a/README.md\n"])
def test_a_patch_that_does_not_apply_is_refused(scene: Scene, patch: bytes) -> None:
    with pytest.raises(VcsRefused, match="apply"):
        scene.vcs.restore(NAME, RUN, scene.start, patch)
    assert scene.vcs.wip(NAME, RUN) is None


def test_closing_and_forgetting_may_be_repeated_and_leave_nothing(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    for _ in range(2):
        scene.vcs.close_workspace(NAME, RUN)
        assert not workspace.path.exists()
        assert scene.vcs.wip(NAME, RUN) == wip
    for _ in range(2):
        scene.vcs.forget(NAME, RUN)
        assert scene.vcs.wip(NAME, RUN) is None
    assert list((scene.state / "workspaces").iterdir()) == []
    assert git(scene.mirror, "for-each-ref", "refs/moonmind") == b""


def test_closing_on_a_host_that_knows_nothing_is_no_error(tmp_path: Path) -> None:
    fresh = a_vcs(tmp_path / "fresh")
    fresh.close_workspace(NAME, RUN)
    fresh.forget(NAME, RUN)
    assert fresh.wip(NAME, RUN) is None
    assert fresh.find_workspace(NAME, RUN) is None
