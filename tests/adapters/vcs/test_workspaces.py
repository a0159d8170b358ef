"""What a crash, a second process or another user leaves, and what is made of it."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import SpawnProcess
from pathlib import Path
from uuid import UUID

import pytest

from moonmind.adapters.files import locked
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.ports.forge import Repository
from moonmind.settings import ambient_environment
from tests.support.git_repos import commit_to, git
from tests.support.vcs_scene import FILES, NAME, RUN, Scene, a_scene, a_vcs

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


def killed_once(process: SpawnProcess, reached: Callable[[], bool]) -> None:
    """Kill a process as soon as it has come somewhere; it may also have ended by then."""
    process.start()
    deadline = time.monotonic() + 30
    while not reached() and process.is_alive():
        assert time.monotonic() < deadline
    process.kill()
    process.join()
    process.close()


def open_it(state: Path, start: str) -> None:
    a_vcs(state).open_workspace(NAME, RUN, start)


def fetch_it(state: Path, url: str) -> None:
    a_vcs(state).fetch(Repository(NAME, url, "main"))


@pytest.mark.parametrize("part", ["git", "tree", "tree/.git", "git/base.index"])
def test_a_folder_that_a_crash_left_half_made_is_made_again(scene: Scene, part: str) -> None:
    commit_to(scene.bare, "main", {f"many/{number}": "x" * 1000 for number in range(300)}, "Many")
    scene.vcs.fetch(scene.repository)
    start = scene.vcs.branches(NAME)["main"]
    process = SPAWN.Process(target=open_it, args=(scene.state, start))
    killed_once(process, lambda: any((scene.state / "workspaces").glob(f".{RUN}.*.building/{part}")))
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    assert scene.vcs.changes(NAME, start, scene.vcs.capture(NAME, RUN, workspace).commit) == ()
    assert git(workspace.path, "status", "--porcelain") == b""
    assert [path.name for path in (scene.state / "workspaces").iterdir() if path.suffix == ".building"] == []


SLOW_GIT = """#!/bin/sh
case " $* " in *" init "*)
    echo "$PPID" > {folder}/began
    read word < {folder}/go-on
esac
PATH={path} exec git "$@"
"""


def open_with(git_folder: Path, state: Path, start: str) -> None:
    environment = ambient_environment()
    environment = {**environment, "PATH": f"{git_folder}:{environment['PATH']}"}
    options = VcsOptions(state_folder=state, scheme="file", git_environment=dict[str, str], environment=environment)
    GitVcs(options).open_workspace(NAME, RUN, start)


def test_a_command_of_a_dead_process_never_writes_into_a_folder_that_is_made_again(
    scene: Scene, tmp_path: Path
) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    for name in ("began", "go-on"):
        os.mkfifo(folder / name)
    (folder / "git").write_text(SLOW_GIT.format(folder=folder, path=ambient_environment()["PATH"]))
    (folder / "git").chmod(0o755)
    process = SPAWN.Process(target=open_with, args=(folder, scene.state, scene.start))
    process.start()
    assert (folder / "began").read_text() == f"{process.pid}\n"
    process.kill()
    process.join(60)
    with pytest.raises(TimeoutError), locked(scene.state / "workspaces" / f".{RUN}.lock", 0):
        pass
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(scene.vcs.open_workspace, NAME, RUN, scene.start)
        (folder / "go-on").write_text("now\n")
        assert opened.result(60).path.is_dir()
    assert {path.name for path in (scene.state / "workspaces").iterdir()} == {str(RUN), f".{RUN}.lock"}


@pytest.mark.parametrize("part", ["*.building", "*.fetches", "*.git/objects/pack/*", "*.git/refs/remotes/origin"])
def test_a_mirror_that_a_crash_left_half_fetched_is_fetched_again(scene: Scene, tmp_path: Path, part: str) -> None:
    state = tmp_path / "fresh"
    process = SPAWN.Process(target=fetch_it, args=(state, scene.repository.clone_url))
    killed_once(process, lambda: any((state / "mirrors").glob(part)))
    vcs = a_vcs(state)
    vcs.fetch(scene.repository)
    assert vcs.branches(NAME) == {"main": scene.start}
    assert {file.path for file in vcs.listing(NAME, scene.start)} == FILES.keys()


def test_a_workspace_is_opened_by_many_and_made_once(scene: Scene) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = [pool.submit(a_vcs(scene.state).open_workspace, NAME, RUN, scene.start) for _ in range(4)]
        inodes = {each.result(60).path.stat().st_ino for each in opened}
    assert len(inodes) == 1


def test_a_fetch_that_was_asked_for_meanwhile_counts_for_all_who_waited(scene: Scene, tmp_path: Path) -> None:
    state = tmp_path / "fresh"
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(a_vcs(state).fetch, scene.repository) for _ in range(8)]:
            each.result(60)
    (counted,) = (state / "mirrors").glob("*.fetches")
    assert b'"begun": 8' not in counted.read_bytes()
    later = commit_to(scene.bare, "main", {"b": "1"}, "Later")
    a_vcs(state).fetch(scene.repository)
    assert a_vcs(state).branches(NAME) == {"main": later}


def test_a_mirror_follows_a_repository_that_is_found_elsewhere_now(scene: Scene) -> None:
    moved = scene.bare.rename(scene.bare.with_name("moved.git"))
    later = commit_to(moved, "main", {"b": "1"}, "Later")
    scene.vcs.fetch(Repository(NAME, f"file://{moved}", "main"))
    assert scene.vcs.branches(NAME) == {"main": later}


def test_the_service_and_the_agent_share_no_object(scene: Scene) -> None:
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    inside = {path.stat().st_ino for path in (workspace.path / ".git").rglob("*") if path.is_file()}
    mirrored = {path.stat().st_ino for path in scene.mirror.rglob("*") if path.is_file()}
    assert inside
    assert not inside & mirrored
    assert str(scene.state).encode() not in b"".join(
        path.read_bytes() for path in (workspace.path / ".git").rglob("*") if path.is_file()
    )


def capture_as_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)
    scene = a_scene(folder)
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    closed = workspace.path / "closed"
    closed.mkdir()
    (closed / "hidden").write_text("x")
    (workspace.path / "README.md").write_text("changed")
    (workspace.path / "src" / "app.py").write_text("changed")
    (workspace.path / "new").write_text("x")
    for place in (closed, workspace.path / "README.md", workspace.path / "src"):
        place.chmod(0)
    taken = scene.vcs.capture(NAME, RUN, workspace)
    assert {change.path for change in scene.vcs.changes(NAME, scene.start, taken.commit)} == {"new"}
    left = {item.path for item in taken.left_out}
    assert left == {"closed/", "README.md", "src/", "src/app.py"}
    assert {item.rule for item in taken.left_out} == {"unreadable"}
    scene.vcs.close_workspace(NAME, RUN)
    assert not workspace.path.exists()
    other = UUID(int=1)
    scene.vcs.open_workspace(NAME, other, scene.start).path.chmod(0)
    scene.vcs.forget(NAME, other)
    assert list((scene.state / "workspaces").iterdir()) == []


def test_what_the_agent_closed_is_never_taken_for_gone() -> None:
    with tempfile.TemporaryDirectory() as folder:  # below pytest's own folders nobody else may go
        Path(folder).chmod(0o777)
        process = SPAWN.Process(target=capture_as_nobody, args=(Path(folder),))
        process.start()
        process.join(60)
        assert process.exitcode == 0
