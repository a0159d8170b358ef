"""The commands as processes of their own: what they say where they cannot work, and how they end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moonmind.demo import demo
from moonmind.demo.child_process import Child
from moonmind.errors import Unavailable
from moonmind.runtime import server_file
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        "from moonmind.cli import consoles; consoles.out().print('x' * 100_000)",
        "print('x' * 100_000)",
        "raise BrokenPipeError",
    ],
)
@pytest.mark.in_every_run(1)
def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path, sqlite_url: str, command: str) -> None:
    code = (
        "import sys; from moonmind import bootstrap; from moonmind.cli.main import main\n"
        f"def build(*_, **__):\n    {command}\n"
        "bootstrap.build = build\n"
        "sys.exit(main(['runs']))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "DATABASE_URL": sqlite_url}
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def served(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "moonmind.cli.main", "up", "--port", "0", *arguments],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_fails_at_the_start_ends_with_what_fixes_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()  # agents would take this folder for their own repository
    home = {"HOME": str(Path.home())}  # outside of it
    server = served(tmp_path, SPEC_WORKFLOW_TEST_MODE="1", MOONMIND_STATE_DIR=str(tmp_path / "state"), **home)
    _, err = server.communicate(timeout=60)
    error, fix = err.splitlines()[-2:]
    assert server.returncode == 4
    assert error.startswith("error: the state folder ")
    assert fix.startswith("fix: Set MOONMIND_STATE_DIR")
    assert "Traceback" not in err


def test_a_second_engine_on_one_database_ends_with_a_four(tmp_path: Path) -> None:
    work, state = tmp_path / "work", tmp_path / "state"
    given = {
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "TMPDIR": str(tmp_path / "tmp"),  # state is refused below the temporary folder, where pytest puts us
        "MOONMIND_STATE_DIR": str(state),
        "DATABASE_URL": f"sqlite:///{work / 'moonmind.db'}",
    }
    (tmp_path / "tmp").mkdir()
    work.mkdir()
    first = served(work, **given)
    try:
        until(lambda: server_file.find(work / "var") is not None, "the first server")
        # Its address is elsewhere, so that only the lock beside the database tells.
        second = served(work, **given, MOONMIND_VAR_DIR=str(tmp_path / "other"))
        _, err = second.communicate(timeout=60)
        assert second.returncode == 4
        assert "error: another MoonMind runs the embedded engine" in err
        assert err.splitlines()[-1].startswith("fix: ")
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)


def test_uvicorn_says_which_setting_is_wrong_and_exits(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "api_service.main:app", "--port", "0"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "HOME": str(tmp_path), "CELERY_BROKER_URL": "redis://x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "MoonMind cannot start: CELERY_BROKER_URL has the scheme 'redis'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_documented_command_of_a_worker_ends_with_a_sentence_where_it_cannot_work(tmp_path: Path) -> None:
    command = ["-m", "celery", "-A", "moonmind.workflows.speckit_celery.tasks", "worker", "-Q", "codex"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 4, ended.stderr
    assert ended.stderr.startswith("moonmind worker: CELERY_BROKER_URL is not set")
    assert "moonmind up" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_child_that_ends_before_it_is_ready_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    # Below the temporary folder no agent may work.
    with Child(tmp_path, tmp_path / "state") as child:
        child.start()
        with pytest.raises(Unavailable) as refused:
            child.url()
    assert "exited with 4" in refused.value.message
    assert "MOONMIND_STATE_DIR" in refused.value.message
    assert str(tmp_path / "moonmind.log") in refused.value.advice


def test_a_server_that_cannot_start_ends_the_demo_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/demo").mkdir(parents=True)
    (tmp_path / "var/demo/.env").write_text("CELERY_BROKER_URL=redis://localhost\n")  # which is not read
    assert demo.main(["--json"]) == 5
    said = capsys.readouterr().err
    assert "MOONMIND_STATE_DIR" in said  # below the temporary folder no agent may work
    assert "CELERY_BROKER_URL" not in said


def test_a_process_that_stays_keeps_others_of_its_user_out_of_its_memory_and_environment(tmp_path: Path) -> None:
    dumpable = "ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)"  # PR_GET_DUMPABLE: 1 is open, 0 is closed
    code = (
        "import ctypes; from moonmind import bootstrap; from moonmind.settings import load_settings; "
        f"print({dumpable}); bootstrap.prepare_process(load_settings()); print({dumpable})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["1", "0"], done.stderr
