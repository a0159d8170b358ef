import multiprocessing
import os
from pathlib import Path

import pytest

from moonmind.adapters.files import locked, remove_tree, replace_file


def count_up(path: Path, lock: Path, times: int) -> None:
    for _ in range(times):
        with locked(lock, 30):
            path.write_text(str(int(path.read_text()) + 1))


def test_a_lock_keeps_processes_apart(tmp_path: Path) -> None:
    path = tmp_path / "number"
    path.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=count_up, args=(path, tmp_path / "locks" / "lock", 100)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
        assert other.exitcode == 0
    assert path.read_text() == "300"


def test_waiting_for_a_lock_ends(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 0), pytest.raises(TimeoutError, match="lock"), locked(tmp_path / "lock", 0.05):
        pass
    with locked(tmp_path / "lock", 0):
        pass


def test_a_lock_may_be_removed_by_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 0):
        (tmp_path / "lock").unlink()
        with locked(tmp_path / "lock", 0):
            pass


def test_a_lock_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock", 0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "f", b"one")
    replace_file(tmp_path / "f", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"two")]


def test_a_folder_goes_with_all_that_its_owner_closed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "closed" / "inner").mkdir(parents=True)
    (top / "closed" / "inner" / "f").write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("x")
    (top / "link").symlink_to(tmp_path / "outside")
    (top / "closed" / "inner").chmod(0)
    (top / "closed").chmod(0o500)
    if os.geteuid() == 0:  # permissions hold nobody with all rights: remove as somebody else
        removed = multiprocessing.get_context("spawn").Process(target=remove_as, args=(top, 65534))
        for place in (tmp_path, top, top / "closed", top / "closed" / "inner", top / "closed" / "inner" / "f"):
            os.chown(place, 65534, 65534)
        for place in (tmp_path.parent, tmp_path.parent.parent):
            place.chmod(place.stat().st_mode | 0o011)
        removed.start()
        removed.join(60)
        assert removed.exitcode == 0
    else:
        remove_tree(top)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]
    assert (tmp_path / "outside" / "kept").exists()
    remove_tree(top)


def remove_as(top: Path, user: int) -> None:
    os.setuid(user)
    remove_tree(top)
