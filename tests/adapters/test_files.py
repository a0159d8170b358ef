import contextlib
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moonmind.adapters.files import handed_on, locked, replace_file
from moonmind.adapters.process import run


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


def test_who_waited_for_a_removed_lock_waits_for_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    waited = threading.Event()

    def wait() -> str:
        waited.set()
        try:
            with locked(lock, 1):
                return "two held it at once"
        except TimeoutError:
            return "waited"

    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as first:
        first.enter_context(locked(lock, 0))
        answer = pool.submit(wait)
        waited.wait(10)
        deadline = time.monotonic() + 10
        while sum(handle.samefile(lock) for handle in Path("/proc/self/fd").iterdir() if handle.exists()) < 2:
            assert time.monotonic() < deadline, "nobody opened the lock"
        lock.unlink()
        with locked(lock, 0):
            first.close()
            assert answer.result(30) == "waited"


def hold_with_a_command(folder: Path, script: str, *, hand_on: bool) -> None:
    with locked(folder / "lock", 0, hand_on=hand_on):
        run(["/bin/sh", "-c", script], cwd=folder, env={}, timeout=60, pass_fds=handed_on())


@pytest.mark.parametrize("hand_on", [True, False])
def test_a_lock_that_is_handed_on_outlives_its_killed_holder_by_the_command_it_began(
    tmp_path: Path, hand_on: bool
) -> None:
    for name in ("began", "end"):
        os.mkfifo(tmp_path / name)
    holder = multiprocessing.get_context("spawn").Process(
        target=hold_with_a_command,
        args=(tmp_path, "echo began > began; read word < end"),
        kwargs={"hand_on": hand_on},
    )
    holder.start()
    assert (tmp_path / "began").read_text() == "began\n"
    holder.kill()
    holder.join(60)
    if hand_on:
        with pytest.raises(TimeoutError), locked(tmp_path / "lock", 0.1):
            pass
        (tmp_path / "end").write_text("now\n")
    with locked(tmp_path / "lock", 30):
        pass
    if not hand_on:
        (tmp_path / "end").write_text("now\n")


def test_a_lock_that_is_handed_on_ends_with_its_holder_whatever_its_command_left_behind(tmp_path: Path) -> None:
    for name in ("began", "end"):
        os.mkfifo(tmp_path / name)
    # of a session of its own, so that it is not killed with the command's
    left = "setsid sh -c 'echo began > began; read word < end' > /dev/null 2>&1 & read word < began"
    hold_with_a_command(tmp_path, left, hand_on=True)
    with locked(tmp_path / "lock", 0):
        (tmp_path / "end").write_text("now\n")


def test_a_lock_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock", 0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "f", b"one")
    replace_file(tmp_path / "f", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"two")]
