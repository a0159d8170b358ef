"""Files of the service are its user's alone, whatever the umask."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from moonmind.db.engine import create_engine
from moonmind.private import keep_private, make_folder, make_private
from moonmind.runtime import server_file
from moonmind.runtime.folders import close_to_others

UMASKS = [0o000, 0o002, 0o022, 0o027, 0o077]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_a_process_that_stays_makes_private_files(tmp_path: Path, umask: int) -> None:
    os.umask(umask)
    keep_private()
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert (mode(tmp_path / "file"), mode(tmp_path / "folder")) == (0o600, 0o700)


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
@pytest.mark.parametrize("wanted", [0o700, 0o750])
def test_folders_are_made_with_the_mode_that_is_meant(tmp_path: Path, umask: int, wanted: int) -> None:
    (tmp_path / "there").mkdir(0o755)
    (tmp_path / "there").chmod(0o755)
    os.umask(umask)
    make_folder(tmp_path / "there" / "a" / "b", wanted)
    make_folder(tmp_path / "there" / "a" / "b", 0o711)
    found = [mode(tmp_path / name) for name in ("there", "there/a", "there/a/b")]
    assert found == [0o755, wanted, wanted]


def test_a_folder_cannot_be_made_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file", 0o700)
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "below", 0o700)


@pytest.mark.parametrize(("before", "after"), [(0o666, 0o600), (0o644, 0o600), (0o777, 0o700), (0o440, 0o400), (0, 0)])
def test_an_open_file_is_closed_to_others(tmp_path: Path, before: int, after: int) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(before)
    (tmp_path / "link").symlink_to("file")
    make_private(tmp_path / "link")
    assert mode(tmp_path / "file") == before
    make_private(tmp_path / "file")
    make_private(tmp_path / "absent")
    assert mode(tmp_path / "file") == after


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o666)
    os.chown(tmp_path / "file", 65534, 65534)
    make_private(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o666


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_the_database_is_private_from_its_first_moment_and_when_it_was_not(tmp_path: Path, umask: int) -> None:
    os.umask(umask)
    place = tmp_path / "var" / "moonmind.db"
    for _ in range(2):
        engine = create_engine(f"sqlite:///{place}")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS any (thing)"))
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM any"))
            files = list(place.parent.iterdir())
            assert {path.name for path in files} >= {"moonmind.db", "moonmind.db-wal", "moonmind.db-shm"}
            assert {oct(mode(path)) for path in files} == {"0o600"}
            for path in files:
                path.chmod(0o666)  # as a program before this one left them
        engine.dispose()
    assert mode(place.parent) == 0o750


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_the_servers_address_is_private(tmp_path: Path, umask: int) -> None:
    os.umask(umask)
    server_file.announce(tmp_path / "var", "http://127.0.0.1:1")
    assert [(path.name, mode(path)) for path in (tmp_path / "var").iterdir()] == [("server.json", 0o600)]


def test_what_an_earlier_program_left_open_is_closed_at_the_next_start(tmp_path: Path) -> None:
    var, state = tmp_path / "var", tmp_path / "state"
    ours = ["moonmind.db", "moonmind.db-wal", "moonmind.lock", "migrate.lock", "server.json", "celerybeat-schedule.db"]
    for folder in (var, state, var / "artifacts"):
        folder.mkdir()
        folder.chmod(0o777)
    for name in (*ours, "notes.txt"):
        (var / name).touch()
        (var / name).chmod(0o666)
    close_to_others(var, state)
    assert {mode(var / name) for name in ours} == {0o600}
    assert mode(state) == 0o700
    assert (mode(var / "artifacts"), mode(var / "notes.txt")) == (0o777, 0o666)


def test_no_lock_of_this_process_is_lost(tmp_path: Path) -> None:
    """POSIX locks, SQLite's among them, end when their process closes the file once, however often it has it open."""
    place = tmp_path / "moonmind.db"
    place.touch()
    place.chmod(0o666)
    with place.open("r+b") as mine:
        fcntl.lockf(mine, fcntl.LOCK_EX)
        make_private(place)
        held = f"import fcntl; fcntl.lockf(open({str(place)!r}, 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        other = subprocess.run([sys.executable, "-c", held], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in other.stderr
    assert mode(place) == 0o600
