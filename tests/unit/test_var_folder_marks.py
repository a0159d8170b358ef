"""The mark in a `var` that this installation made: nothing else passes for it, and a torn one is made again."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind import env_file, var_folder
from moonmind.settings import ambient_environment, load_settings
from tests.support.env_files import go_to_a_clone
from tests.unit.test_var_folder import claim, refusal


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return go_to_a_clone(tmp_path, monkeypatch)


def without(mark: Path) -> None:
    mark.unlink()


def with_another(mark: Path) -> None:
    mark.write_text("0" * len(mark.read_text()))


def with_an_empty_one(mark: Path) -> None:
    mark.write_text("")


def with_a_pipe(mark: Path) -> None:
    mark.unlink()
    os.mkfifo(mark)


def with_a_link(mark: Path) -> None:
    mark.rename(mark.with_name("real"))
    mark.symlink_to("real")


@pytest.mark.parametrize("spoil", [without, with_another, with_an_empty_one, with_a_pipe, with_a_link])
def test_a_folder_that_got_the_inode_of_ours_is_refused(clone: Path, spoil: Callable[[Path], None]) -> None:
    claim()
    (clone / "var/server.json").touch()
    load_settings()
    spoil(clone / "var" / var_folder.MARK)
    refusal()


@pytest.mark.parametrize("left", ["", "torn", None])
def test_a_start_that_was_killed_while_it_marked_is_made_good(clone: Path, left: str | None) -> None:
    claim()
    mark = clone / "var" / var_folder.MARK
    if left is None:
        mark.rename(mark.with_name(f"{var_folder.MARK}.fresh"))
    else:
        mark.write_text(left)
    claim()
    (clone / "var/moonmind.db").touch()
    load_settings()


@pytest.mark.parametrize("place", ["folders", "."])
def test_a_noted_folder_needs_no_home_that_can_be_written(
    clone: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    claim()
    (clone / "var/moonmind.db").touch()

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(var_folder, "_alone", read_only)
    monkeypatch.setattr(var_folder, "make_folder", read_only)
    monkeypatch.chdir(clone / "var" / ".." if place == "." else clone)
    claim()


def test_processes_that_start_together_make_one_note(clone: Path) -> None:
    program = "from moonmind.settings import load_settings; load_settings().claim_var('MOONMIND_VAR_DIR')"
    environment = dict(ambient_environment(), PYTHONPATH=str(Path(env_file.__file__).parents[1]))
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=clone, env=environment, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [(each.communicate(timeout=60)[1], each.returncode) for each in started] == [(b"", 0)] * 4
    (clone / "var/moonmind.db").touch()
    load_settings()
