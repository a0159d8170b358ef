import errno
import multiprocessing
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.files import discard
from moonmind.adapters.trees import give_to, remove_tree
from tests.support.trees import deepen


def as_an_ordinary_user(work: Callable[[Path], None]) -> None:
    """Run a function in a process of its own in a folder of its own: permissions hold nobody with all rights."""
    with tempfile.TemporaryDirectory() as folder:  # below pytest's own folders nobody else may go
        Path(folder).chmod(0o777)
        process = multiprocessing.get_context("spawn").Process(target=_let_go, args=(work, Path(folder)))
        process.start()
        process.join(60)
        assert process.exitcode == 0


def _let_go(work: Callable[[Path], None], folder: Path) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)
    work(folder)


def closed_folder(folder: Path) -> None:
    top = folder / "top"
    (top / "closed" / "inner").mkdir(parents=True)
    (top / "closed" / "inner" / "f").write_text("x")
    (folder / "outside").mkdir()
    (folder / "outside" / "kept").write_text("x")
    (top / "link").symlink_to(folder / "outside")
    (top / "closed" / "inner").chmod(0)
    (top / "closed").chmod(0o500)
    remove_tree(top)
    assert [path.name for path in folder.iterdir()] == ["outside"]
    assert (folder / "outside" / "kept").exists()


def closed_and_deep(folder: Path) -> None:
    deepen(folder / "top", 200, closed=True)
    remove_tree(folder / "top")
    assert list(folder.iterdir()) == []


def closed_at_the_top(folder: Path) -> None:
    deepen(folder / "top", 40)
    (folder / "top").chmod(0)
    discard(folder / "top")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("work", [closed_folder, closed_and_deep, closed_at_the_top])
def test_a_folder_goes_with_all_that_its_owner_closed(work: Callable[[Path], None]) -> None:
    as_an_ordinary_user(work)


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        pytest.param(sys.getrecursionlimit() + 10, "d", id="deeper than Python's stack"),
        pytest.param(33, "d", id="one folder deeper than are held open"),
        pytest.param(60, "n" * 255, id="a path that fits into no call"),
        pytest.param(5000, "é", id="five thousand folders"),
    ],
)
def test_depth_costs_neither_stack_nor_open_files(tmp_path: Path, levels: int, name: str) -> None:
    deepen(tmp_path / "top", levels, name=name)
    before = len(os.listdir("/proc/self/fd"))
    remove_tree(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_several_deep_chains_go_together(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        deepen(tmp_path / "top", 500, name=name)
    discard(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_removed_and_never_opened(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "pipe")
    os.mknod(top / "socket", stat.S_IFSOCK | 0o600)
    (top / "loop").symlink_to("loop")
    (top / "up").symlink_to("..")
    (top / "gone").symlink_to("/nowhere")
    (top / "a").symlink_to("b")
    (top / "b").symlink_to("a")
    with (top / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "kept").write_text("x")
    remove_tree(top)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_that_is_still_written_into_is_removed_once_its_writer_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    (top / "inner").mkdir(parents=True)
    rmdir = os.rmdir
    times: list[str] = []

    def late(name: str, *, dir_fd: int | None = None) -> None:
        if len(times) < 3:
            times.append(name)
            (top / "inner").mkdir(exist_ok=True)
            (top / "inner" / f"late{len(times)}").touch()
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", late)
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []
    assert len(times) == 3


def test_what_cannot_be_removed_is_an_error_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deepen(tmp_path / "top", 5)

    def refused(name: str, *, dir_fd: int | None = None) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", refused)
        with pytest.raises(OSError, match="Read-only"):
            remove_tree(tmp_path / "top")
    assert len(os.listdir("/proc/self/fd")) == before
    remove_tree(tmp_path / "top")


def test_what_is_not_there_is_removed_already_and_a_link_goes_alone(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nowhere")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    remove_tree(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("depth", [1, 40, 400])
def test_a_tree_is_given_away_whole_and_no_link_is_followed(tmp_path: Path, depth: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    kept = tmp_path / "kept"
    kept.mkdir()
    root = tmp_path / "given"
    root.mkdir()
    deep = root
    for _ in range(depth):
        deep = deep / "d"
        deep.mkdir()
    (deep / "file").touch()
    (deep / "link").symlink_to(kept)
    os.mkfifo(root / "pipe")
    give_to(root, 65534, 65534)
    found = [root, root / "pipe", deep, deep / "file", deep / "link"]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {(65534, 65534)}
    assert kept.stat().st_uid == 0
