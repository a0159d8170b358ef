import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.adapters.supervisor import kernel
from tests.support.waiting import PATIENCE, until


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"], env={"KERNEL_TEST": str(uuid.uuid4())}) as child:
        yield child
        child.kill()


def test_a_process_is_alive_until_it_is_dead_and_a_zombie_is_dead(sleeper: "subprocess.Popen[bytes]") -> None:
    process = kernel.identify(sleeper.pid)
    assert process.alive
    process.signal(signal.SIGKILL)
    until(lambda: not process.alive, "the end of the process")  # nobody has reaped it yet
    sleeper.wait()
    assert not process.alive


def test_another_process_with_the_same_pid_is_neither_alive_nor_signalled(sleeper: "subprocess.Popen[bytes]") -> None:
    stranger = kernel.Process(sleeper.pid, "1")
    assert not stranger.alive
    stranger.signal(signal.SIGKILL)
    assert kernel.identify(sleeper.pid).alive


def test_who_is_not_there_cannot_be_identified(sleeper: "subprocess.Popen[bytes]") -> None:
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(ProcessLookupError):
        kernel.identify(sleeper.pid)


def test_descendants_are_found_in_other_sessions_too() -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60'], start_new_session=True); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert {process.pid for process in kernel.descendants(os.getpid())} >= {child.pid, grandchild}
        assert kernel.kill_all(lambda: kernel.descendants(child.pid), seconds=PATIENCE) == []
        assert child.wait(PATIENCE) == 0
        assert not os.path.exists(f"/proc/{grandchild}")


def test_marked_processes_are_found_by_the_whole_value(sleeper: "subprocess.Popen[bytes]") -> None:
    with open(f"/proc/{sleeper.pid}/environ", "rb") as file:
        mark = file.read().rstrip(b"\0").decode().partition("=")[2]
    until(lambda: kernel.marked("KERNEL_TEST", mark), "the marked process")  # its environment is its own after exec
    assert [process.pid for process in kernel.marked("KERNEL_TEST", mark)] == [sleeper.pid]
    assert kernel.marked("KERNEL_TEST", mark[:-1]) == []


def test_what_cannot_be_killed_in_time_is_named() -> None:
    me = kernel.identify(os.getpid())
    survivor = kernel.Process(me.pid, "1")  # never signalled: it is another process
    assert kernel.kill_all(lambda: [survivor], seconds=0.05) == [survivor]


def test_this_boot_has_a_name() -> None:
    assert uuid.UUID(kernel.boot_id())


def test_where_processes_cannot_be_seen_a_living_pid_is_named_and_a_dead_one_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel, "_PROC", tmp_path)
    assert kernel.sees_processes() is False
    assert kernel.identify(os.getpid()).alive
    assert kernel.descendants(os.getpid()) == []
    assert kernel.marked("ANY", "thing") == []
    assert kernel.boot_id() == "unknown"
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(ProcessLookupError):
        kernel.identify(ended.pid)
