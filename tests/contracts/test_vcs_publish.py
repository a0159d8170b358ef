"""What every Vcs adapter promises about publishing: one deterministic commit, only ever forward."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from moonmind.errors import BranchMoved, PushRejected, VcsRefused
from tests.support.git_repos import commit_to, install_hook, log_of, modes_of, tip_of, tree_of
from tests.support.vcs_scene import FILES, NAME, RUN, Scene, a_scene, edit

WHEN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


def make_commit(scene: Scene, text: bytes = b"- [x] done\n") -> str:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    edit(workspace.path)
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    replace = {"specs/tasks.md": text, "tool.sh": b"#!/bin/sh\ntrue\n", "src/app.py": FILES["src/app.py"].encode()}
    return scene.vcs.commit(
        NAME, tree_of=wip, parent=scene.start, replace=replace, message="Publish\n\nRun-Id: 1\n", when=WHEN
    )


def test_the_runs_commit_is_the_tree_with_files_replaced_by_moonmind(scene: Scene) -> None:
    commit = make_commit(scene)
    assert make_commit(scene) == commit
    mirror = scene.mirror
    tree = tree_of(mirror, commit)
    assert tree["specs/tasks.md"] == b"- [x] done\n"
    assert tree["src/app.py"] == b"print('hi')\n"
    assert tree["README.md"] == b"hello\nworld\n"
    assert modes_of(mirror, commit)["run.sh"] == "100755"
    logged = log_of(mirror, commit)[0]
    assert (logged.author, logged.committed_at) == ("MoonMind <noreply@moonmind.invalid>", int(WHEN.timestamp()))
    assert logged.parents == (scene.start,)
    assert scene.vcs.history(NAME, commit, scene.start, files="b", limit=1)[0].trailers == {"run-id": "1"}


def test_a_push_creates_the_branch_and_may_be_repeated(scene: Scene) -> None:
    commit = make_commit(scene)
    scene.vcs.push(scene.repository, "moonmind/x", commit, None)
    assert tip_of(scene.bare, "moonmind/x") == commit
    assert scene.vcs.branches(NAME)["moonmind/x"] == commit
    scene.vcs.push(scene.repository, "moonmind/x", commit, None)
    scene.vcs.push(scene.repository, "moonmind/x", commit, scene.start)
    assert tip_of(scene.bare, "moonmind/x") == commit


def test_a_push_moves_a_branch_forward_from_where_it_was_seen(scene: Scene) -> None:
    scene.vcs.push(scene.repository, "moonmind/x", scene.start, None)
    commit = make_commit(scene)
    scene.vcs.push(scene.repository, "moonmind/x", commit, scene.start)
    assert tip_of(scene.bare, "moonmind/x") == commit


def test_a_branch_that_was_moved_is_left_alone(scene: Scene) -> None:
    theirs = commit_to(scene.bare, "moonmind/x", {"human": "1"}, "Mine", start=scene.start)
    for expected in (None, scene.start):
        with pytest.raises(BranchMoved) as caught:
            scene.vcs.push(scene.repository, "moonmind/x", make_commit(scene), expected)
        assert caught.value.details == {"branch": "moonmind/x", "found": theirs, "expected": expected}
    assert tip_of(scene.bare, "moonmind/x") == theirs


def test_a_branch_that_was_deleted_meanwhile_is_not_made_again(scene: Scene) -> None:
    with pytest.raises(BranchMoved, match="deleted"):
        scene.vcs.push(scene.repository, "moonmind/x", make_commit(scene), scene.start)
    assert tip_of(scene.bare, "moonmind/x") is None


def test_published_commits_are_never_rewritten(scene: Scene) -> None:
    later = commit_to(scene.bare, "moonmind/x", {"a": "1"}, "Later", start=scene.start)
    scene.vcs.fetch(scene.repository)
    with pytest.raises(VcsRefused, match="would lose"):
        scene.vcs.push(scene.repository, "moonmind/x", make_commit(scene), later)
    assert tip_of(scene.bare, "moonmind/x") == later


def test_a_push_that_the_forge_refuses_gives_its_words(scene: Scene) -> None:
    install_hook(scene.bare, "pre-receive", "echo 'protected by order of the owner' >&2; exit 1")
    with pytest.raises(PushRejected) as caught:
        scene.vcs.push(scene.repository, "moonmind/x", make_commit(scene), None)
    assert "protected by order of the owner" in caught.value.details["stderr"]
    assert "pre-receive hook declined); it said: protected by order of the owner" in caught.value.message
    assert not caught.value.retryable
    assert "moonmind/x" not in scene.vcs.branches(NAME)


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "x.lock", "", "refs/../x", "a\n"])
def test_a_name_that_no_branch_can_have_is_refused(scene: Scene, branch: str) -> None:
    with pytest.raises(VcsRefused):
        scene.vcs.push(scene.repository, branch, scene.start, None)
