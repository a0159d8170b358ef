import json
import os
import threading
from pathlib import Path

import pytest

from moonmind.adapters.supervisor.folder import JobFolder, read_json, write_json, write_whole


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    folder = JobFolder(tmp_path / "jobs" / "run" / "submit-1")
    folder.make()
    return folder


def test_a_folder_is_for_its_user_alone_and_made_once(folder: JobFolder) -> None:
    folder.make()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.temporary.is_dir()


def test_the_lock_is_held_once_and_seen_by_others(folder: JobFolder) -> None:
    seen = [folder.locked]
    held = folder.try_lock()
    assert held is not None
    seen.append(folder.locked)
    assert folder.try_lock() is None
    os.close(held)
    assert [*seen, folder.locked] == [False, True, False]


def test_looking_at_the_lock_does_not_take_it(folder: JobFolder) -> None:
    held = folder.try_lock()
    assert held is not None
    os.close(held)
    assert not folder.locked
    again = folder.try_lock()
    assert again is not None
    os.close(again)


def test_a_document_comes_back_and_nothing_else_is_left(folder: JobFolder) -> None:
    write_json(folder.result, {"end": "exited", "text": "é\ud800"})
    assert read_json(folder.result) == {"v": 1, "end": "exited", "text": "é?"}
    assert {path.name for path in folder.path.iterdir()} == {"result.json", "tmp"}
    assert folder.result.stat().st_mode & 0o777 == 0o600


def test_what_is_not_there_is_none(folder: JobFolder) -> None:
    assert read_json(folder.handle) is None


def test_the_version_before_is_read_and_one_from_the_future_is_refused(folder: JobFolder) -> None:
    folder.result.write_text(json.dumps({"v": 0, "end": "exited"}))
    assert read_json(folder.result) == {"v": 0, "end": "exited"}
    folder.result.write_text(json.dumps({"v": 2}))
    with pytest.raises(ValueError, match="version"):
        read_json(folder.result)


def test_threads_that_write_at_once_leave_one_whole_document(folder: JobFolder) -> None:
    bodies = [bytes([65 + number]) * 100_000 for number in range(8)]
    writers = [threading.Thread(target=write_whole, args=(folder.facts, body)) for body in bodies]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert folder.facts.read_bytes() in bodies


@pytest.mark.parametrize("kind", ["link to a file", "link to nothing", "hard link"])
def test_what_an_agent_left_in_its_folder_is_not_written_through(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "home"
    folder.mkdir()
    trap = folder / f".config.toml.{os.getpid()}.{threading.get_ident()}"
    if kind != "link to nothing":
        elsewhere.write_text("of the host")
    if kind == "hard link":
        trap.hardlink_to(elsewhere)
    else:
        trap.symlink_to(elsewhere)
    write_whole(folder / "config.toml", b"ours")
    assert (folder / "config.toml").read_bytes() == b"ours"
    assert not (folder / "config.toml").is_symlink()
    assert (elsewhere.read_text() if elsewhere.exists() else "of the host") == "of the host"
