"""Folders whose git directories, their own or planted ones, try to run something or to lead elsewhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from moonmind.errors import VcsRefused
from moonmind.ports.vcs import Change, Workspace
from tests.support.git_repos import commit_to, git
from tests.support.vcs_scene import NAME, RUN, Scene, a_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


@pytest.fixture
def workspace(scene: Scene) -> Workspace:
    return scene.vcs.open_workspace(NAME, RUN, scene.start)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that stays away unless something of the agent's is run."""
    return tmp_path / "canary"


def trap(folder: Path, canary: Path, name: str = "trap") -> Path:
    """Leave a program that shows that it ran, and passes its input through as a filter would."""
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    program.chmod(0o755)
    return program


def changes(scene: Scene, workspace: Workspace) -> dict[str, Change]:
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    return {change.path: change for change in scene.vcs.changes(NAME, scene.start, wip)}


def everything_that_runs(program: Path) -> str:
    return f"""
[core]
    fsmonitor = {program}
    hooksPath = {program.parent}
    sshCommand = {program}
    pager = {program}
    editor = {program}
[filter "evil"]
    clean = {program}
    smudge = {program}
    process = {program}
    required = true
[diff "evil"]
    command = {program}
    textconv = {program}
[merge "evil"]
    driver = {program}
[alias]
    add = !{program}
[gpg]
    program = {program}
"""


def test_nothing_in_the_agents_own_git_directory_runs(scene: Scene, workspace: Workspace, canary: Path) -> None:
    program = trap(workspace.path / ".git", canary)
    for hook in ("pre-commit", "post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        trap(workspace.path / ".git" / "hooks", canary, hook)
        trap(workspace.path / ".git", canary, hook)
    with (workspace.path / ".git" / "config").open("a") as config:
        config.write(everything_that_runs(program))
    (workspace.path / ".git" / "info").mkdir(exist_ok=True)
    (workspace.path / ".git" / "info" / "exclude").write_text("*\n")
    (workspace.path / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (workspace.path / "README.md").write_text("changed\n")
    # The trap is a good one: plain git in this folder falls into it.
    subprocess.run(["git", "add", "-A"], cwd=workspace.path, capture_output=True, check=False)
    assert canary.exists()
    canary.unlink()
    assert set(changes(scene, workspace)) == {"README.md", ".gitattributes"}
    scene.vcs.patch(NAME, scene.start, scene.vcs.wip(NAME, RUN) or "")
    assert not canary.exists()


@pytest.mark.parametrize("target", ["/", "../git", "/nonexistent", "src"])
def test_a_link_in_the_place_of_the_agents_git_directory_is_not_followed(
    scene: Scene, workspace: Workspace, target: str
) -> None:
    shutil.rmtree(workspace.path / ".git")
    (workspace.path / ".git").symlink_to(target)
    assert changes(scene, workspace) == {}


def test_a_file_in_the_place_of_the_agents_git_directory_is_not_read(
    scene: Scene, workspace: Workspace, tmp_path: Path, canary: Path
) -> None:
    hostile = tmp_path / "hostile"
    git(tmp_path, "init", "--quiet", str(hostile))
    (hostile / ".git" / "config").write_text(everything_that_runs(trap(tmp_path, canary)))
    shutil.rmtree(workspace.path / ".git")
    (workspace.path / ".git").write_text(f"gitdir: {hostile}/.git\n")
    (workspace.path / "new").write_text("x")
    assert set(changes(scene, workspace)) == {"new"}
    assert not canary.exists()


def plant_repository(folder: Path, program: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--template=")
    (folder / ".gitattributes").write_text("* filter=evil\n")
    (folder / "inner").write_text("x")
    git(folder, "add", "inner")
    git(folder, "commit", "-qm", "Inner")
    (folder / ".git" / "config").write_text("[core]\n  repositoryformatversion = 0\n" + everything_that_runs(program))
    (folder / "inner").write_text("changed")


def test_nothing_runs_in_a_repository_inside_the_folder_and_its_files_are_taken(
    scene: Scene, workspace: Workspace, tmp_path: Path, canary: Path
) -> None:
    plant_repository(workspace.path / "vendor" / "lib", trap(tmp_path, canary))
    for _ in range(2):
        seen = changes(scene, workspace)
        assert {path: change.new_mode for path, change in seen.items()} == {
            "vendor/lib/.gitattributes": "100644",
            "vendor/lib/inner": "100644",
        }
    assert scene.vcs.read(NAME, scene.vcs.wip(NAME, RUN) or "", "vendor/lib/inner") == b"changed"
    assert not canary.exists()


@pytest.fixture
def submodule(scene: Scene) -> str:
    """Add a submodule to the starting commit, as a repository may well have; returns the new start."""
    files = {
        "vendor/lib": scene.start,
        ".gitmodules": '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://x.invalid\n',
    }
    commit = commit_to(scene.bare, "main", files, "Submodule", modes={"vendor/lib": "160000"})
    scene.vcs.fetch(scene.repository)
    return commit


def test_a_submodule_that_nobody_touched_is_no_change(scene: Scene, submodule: str) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, submodule)
    assert list((workspace.path / "vendor" / "lib").iterdir()) == []
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    assert scene.vcs.changes(NAME, submodule, wip) == ()


def test_nothing_runs_in_a_repository_planted_where_a_submodule_was(
    scene: Scene, submodule: str, tmp_path: Path, canary: Path
) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, submodule)
    place = workspace.path / "vendor" / "lib"
    plant_repository(place, trap(tmp_path, canary))
    (place / ".git" / "HEAD").write_text(f"{scene.start}\n")
    # The trap is a good one: git with a git directory of its own, but the gitlink in its index, falls into it.
    naive = tmp_path / "naive.index"
    git(workspace.git_dir, "read-tree", submodule, index=naive)
    command = ["git", f"--git-dir={workspace.git_dir}", f"--work-tree={workspace.path}", "add", "--all"]
    subprocess.run(command, env={"PATH": os.defpath, "GIT_INDEX_FILE": str(naive)}, capture_output=True, check=False)
    assert canary.exists()
    canary.unlink()
    for head in (scene.start, submodule):
        (place / ".git" / "HEAD").write_text(f"{head}\n")
        taken = scene.vcs.capture(NAME, RUN, workspace)
        assert scene.vcs.changes(NAME, submodule, taken.commit) == ()
    assert not canary.exists()


def test_a_submodule_stays_as_it_is_unless_it_was_removed_or_linked_away(scene: Scene, submodule: str) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, submodule)
    place = workspace.path / "vendor" / "lib"

    def seen() -> set[tuple[str, str]]:
        wip = scene.vcs.capture(NAME, RUN, workspace).commit
        return {(change.path, change.status) for change in scene.vcs.changes(NAME, submodule, wip)}

    (place / "file").write_text("x")
    assert seen() == set()
    (left,) = scene.vcs.capture(NAME, RUN, workspace).left_out
    assert (left.path, left.rule) == ("vendor/lib", "submodule")
    shutil.rmtree(place)
    assert seen() == {("vendor/lib", "D")}
    place.symlink_to("/etc")
    assert seen() == {("vendor/lib", "T")}


@pytest.mark.parametrize("name", [".GIT", "git~1"])
def test_a_folder_that_another_system_takes_for_git_is_refused(
    scene: Scene, workspace: Workspace, name: str, canary: Path
) -> None:
    trap(workspace.path / name / "hooks", canary, "pre-commit")
    with pytest.raises(VcsRefused, match="pre-commit"):
        scene.vcs.capture(NAME, RUN, workspace)
    assert not canary.exists()
