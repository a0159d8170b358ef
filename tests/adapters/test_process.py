import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.process import Completed, run
from moonmind.errors import NotConfigured
from tests.support.processes import alive
from tests.support.waiting import until

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def python(code: str, tmp_path: Path, **options: Any) -> Completed:
    given: dict[str, Any] = {"timeout": 20.0, "env": ENVIRONMENT} | options
    return run([sys.executable, "-c", code], cwd=tmp_path, **given)


def test_a_command_gives_its_output_and_exit_code(tmp_path: Path) -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (done.exit_code, done.text, done.error_text, done.ok) == (3, "out\n", "err", False)


def test_input_larger_than_a_pipe_comes_back_whole(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    done = python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", tmp_path, input=data)
    assert done.ok
    assert done.stdout == data


def test_a_command_that_reads_nothing_is_no_error(tmp_path: Path) -> None:
    assert python("pass", tmp_path, input=b"x" * 1_000_000).exit_code == 0


def test_the_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    done = python("import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))", tmp_path, env={"ONE": "1"})
    assert done.text.strip() == "['ONE']"


def test_a_command_that_overstays_is_killed_with_what_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    done = python(code, tmp_path, timeout=1.0)
    assert done.timed_out
    assert not done.ok
    assert time.monotonic() - began < 10
    assert_gone(int(done.text))


def test_output_beyond_the_limit_ends_the_command(tmp_path: Path) -> None:
    done = python("while True: print('x' * 1000)", tmp_path, limit=10_000)
    assert done.overflowed
    assert not done.ok
    assert len(done.stdout) == 10_000


def test_a_child_that_keeps_the_pipe_open_does_not_hold_us(tmp_path: Path) -> None:
    began = time.monotonic()
    done = python("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)", tmp_path)
    assert done.ok
    assert time.monotonic() - began < 10
    assert_gone(int(done.text))


def test_a_missing_program_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="no-such-program") as caught:
        run(["no-such-program"], cwd=tmp_path, env=ENVIRONMENT, timeout=1.0)
    assert "Install no-such-program" in caught.value.advice


def test_a_missing_folder_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="no such folder"):
        run(["true"], cwd=tmp_path / "absent", env=ENVIRONMENT, timeout=1.0)


def assert_gone(pid: int) -> None:
    until(lambda: not alive(pid), f"the end of process {pid}")
