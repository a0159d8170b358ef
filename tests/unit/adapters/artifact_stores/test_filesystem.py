import os
import stat
from pathlib import Path
from uuid import UUID

import pytest

from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.errors import StoreError, StoreRefused

RUN = UUID("11111111-2222-3333-4444-555555555555")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "artifacts"


@pytest.fixture
def store(root: Path) -> FilesystemArtifactStore:
    return FilesystemArtifactStore(root)


def test_files_lie_where_a_person_looks_and_others_may_not(store: FilesystemArtifactStore, root: Path) -> None:
    store.put(RUN, "apply/output.json", b"{}")
    path = root / str(RUN) / "apply" / "output.json"
    assert path.read_bytes() == b"{}"
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["output.json"], "nothing is left beside it"


def test_a_link_in_the_place_of_a_file_is_neither_read_nor_written(
    store: FilesystemArtifactStore, root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    store.put(RUN, "a", b"x")
    (root / str(RUN) / "link").symlink_to(secret)
    for attempt in (
        lambda: store.put(RUN, "link", b"y"),
        lambda: store.growing(RUN, "link"),
        lambda: store.read(RUN, "link"),
        lambda: store.size(RUN, "link"),
        lambda: store.seal(RUN, "link"),
    ):
        with pytest.raises(StoreRefused):
            attempt()
    assert secret.read_text() == "not yours"


def test_a_link_in_the_place_of_a_folder_is_not_followed(
    store: FilesystemArtifactStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("not yours")
    store.put(RUN, "a", b"x")
    (root / str(RUN) / "folder").symlink_to(outside)
    for attempt in (
        lambda: store.put(RUN, "folder/f", b"y"),
        lambda: store.put(RUN, "folder/deep/f", b"y"),
        lambda: store.growing(RUN, "folder/f"),
        lambda: store.read(RUN, "folder/f"),
    ):
        with pytest.raises(StoreRefused):
            attempt()
    store.delete(RUN)
    assert [path.name for path in outside.iterdir()] == ["f"]
    assert (outside / "f").read_text() == "not yours"


def test_a_link_in_the_place_of_the_runs_folder_is_removed_and_not_followed(
    store: FilesystemArtifactStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("not yours")
    root.mkdir(parents=True)
    (root / str(RUN)).symlink_to(outside)
    with pytest.raises(StoreRefused):
        store.put(RUN, "f", b"y")
    store.delete(RUN)
    assert not (root / str(RUN)).is_symlink()
    assert (outside / "f").read_text() == "not yours"


@pytest.mark.parametrize("path", ["pipe", "folder"])
def test_what_is_no_file_is_refused_and_holds_nobody_up(store: FilesystemArtifactStore, root: Path, path: str) -> None:
    store.put(RUN, "folder/f", b"x")
    os.mkfifo(root / str(RUN) / "pipe")
    for attempt in (
        lambda: store.put(RUN, path, b"y"),
        lambda: store.read(RUN, path),
        lambda: store.size(RUN, path),
        lambda: store.seal(RUN, path),
    ):
        with pytest.raises(StoreRefused):
            attempt()


def test_a_file_where_a_folder_must_be_is_refused(store: FilesystemArtifactStore) -> None:
    store.put(RUN, "a", b"x")
    with pytest.raises(StoreRefused):
        store.put(RUN, "a/b", b"y")


def test_a_root_that_cannot_be_used_is_worth_another_try_and_says_which_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FilesystemArtifactStore(tmp_path / "file" / "artifacts")
    with pytest.raises(StoreError) as caught:
        store.put(RUN, "a", b"x")
    assert "SPEC_WORKFLOW_ARTIFACT_ROOT" in StoreError("").advice
    assert isinstance(caught.value, StoreError)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    store: FilesystemArtifactStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(RUN, "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        store.put(RUN, "a", b"new")
    assert caught.value.retryable
    assert [(path.name, path.read_bytes()) for path in (root / str(RUN)).iterdir()] == [("a", b"old")]
