import io
from pathlib import Path
from typing import BinaryIO

import pytest
from structlog.testing import capture_logs

from moonmind.engine.lease import LeaseLost
from moonmind.engine.run_artifacts import write_whole
from moonmind.ports.vcs import Archived, Workspace
from moonmind.runs.chain import Stage
from moonmind.stages.submit.work_archive import keep_files
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World


def workspace(folder: Path) -> Workspace:
    return Workspace(folder, folder, "0" * 40)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RecursionError(), ValueError(), MemoryError()])
def test_an_archive_that_cannot_be_made_ends_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world = World(tmp_path)

    def broken(*_: object, **__: object) -> Archived:
        raise error

    monkeypatch.setattr(world.vcs, "archive", broken)
    with capture_logs():
        assert keep_files(world.context(Stage.SUBMIT), REPOSITORY, workspace(tmp_path), "1") is None
    assert world.artifacts.rows == {}
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []


def test_a_lost_lease_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)

    def lost(*_: object, **__: object) -> Archived:
        raise LeaseLost("lost")

    monkeypatch.setattr(world.vcs, "archive", lost)
    with pytest.raises(LeaseLost):
        keep_files(world.context(Stage.SUBMIT), REPOSITORY, workspace(tmp_path), "1")


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def half(file: BinaryIO) -> None:
        file.write(b"half")
        raise io.UnsupportedOperation

    with pytest.raises(io.UnsupportedOperation):
        write_whole(tmp_path / "f", half)
    assert list(tmp_path.iterdir()) == []
    assert write_whole(tmp_path / "f", lambda file: file.write(b"whole")) == 5
    assert (tmp_path / "f").read_bytes() == b"whole"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
