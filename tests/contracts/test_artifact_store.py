"""What every ArtifactStore adapter promises."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.errors import NotFound, StoreRefused
from moonmind.ports.artifact_store import ArtifactStore

RUN = UUID("11111111-2222-3333-4444-555555555555")

ADAPTERS: dict[str, Callable[[Path], ArtifactStore]] = {
    "filesystem": lambda folder: FilesystemArtifactStore(folder / "artifacts")
}


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    made = ADAPTERS[request.param](tmp_path)
    assert made.name == request.param
    return made


def whole(store: ArtifactStore, path: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join(store.read(RUN, path, start, length))


def test_what_was_put_is_read_back_with_size_and_digest(store: ArtifactStore) -> None:
    content = bytes(range(256)) * 1000
    stored = store.put(RUN, "apply/output.json", content)
    assert (stored.path, stored.size) == ("apply/output.json", len(content))
    assert stored.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert whole(store, "apply/output.json") == content
    assert store.size(RUN, "apply/output.json") == len(content)
    assert store.seal(RUN, "apply/output.json") == stored


def test_an_empty_file_is_a_file(store: ArtifactStore) -> None:
    stored = store.put(RUN, "empty", b"")
    assert (stored.size, whole(store, "empty"), store.size(RUN, "empty")) == (0, b"", 0)


def test_writing_again_replaces_the_file_while_a_reader_keeps_the_old_one(store: ArtifactStore) -> None:
    old, new = b"a" * 200_000, b"b" * 10
    store.put(RUN, "f", old)
    reader = store.read(RUN, "f")
    first = next(reader)
    store.put(RUN, "f", new)
    assert first + b"".join(reader) == old
    assert whole(store, "f") == new


@pytest.mark.parametrize(
    ("start", "length"), [(0, None), (0, 0), (0, 10), (5, 3), (65_536, 65_536), (65_535, 2), (199_999, 5), (300_000, 1)]
)
def test_a_range_is_read_exactly_and_in_small_pieces(store: ArtifactStore, start: int, length: int | None) -> None:
    content = bytes(number % 251 for number in range(200_000))
    store.put(RUN, "f", content)
    pieces = list(store.read(RUN, "f", start, length))
    assert b"".join(pieces) == content[start : None if length is None else start + length]
    assert all(0 < len(piece) <= 64 * 1024 for piece in pieces)


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_range_that_is_none_is_refused(store: ArtifactStore, start: int, length: int | None) -> None:
    store.put(RUN, "f", b"x")
    with pytest.raises(StoreRefused):
        store.read(RUN, "f", start, length)


def test_what_is_missing_is_said_at_once(store: ArtifactStore) -> None:
    store.put(RUN, "there", b"x")
    for run, path in ((RUN, "nowhere"), (RUN, "no/where"), (uuid4(), "there")):
        with pytest.raises(NotFound):
            store.read(run, path)
        assert store.size(run, path) is None
        assert store.seal(run, path) is None


def test_a_growing_file_is_read_while_another_process_appends(store: ArtifactStore) -> None:
    path = store.growing(RUN, "codex/logs.jsonl")
    assert store.size(RUN, "codex/logs.jsonl") is None
    with path.open("ab", buffering=0) as log:
        log.write(b"one\n")
        assert whole(store, "codex/logs.jsonl") == b"one\n"
        assert store.growing(RUN, "codex/logs.jsonl") == path
        log.write(b"two\n")
        assert store.size(RUN, "codex/logs.jsonl") == 8
        assert whole(store, "codex/logs.jsonl", 4) == b"two\n"
    sealed = store.seal(RUN, "codex/logs.jsonl")
    assert sealed is not None
    assert (sealed.size, sealed.digest) == (8, "sha256:" + hashlib.sha256(b"one\ntwo\n").hexdigest())


def test_deleting_removes_one_run_and_may_be_repeated(store: ArtifactStore) -> None:
    other = uuid4()
    store.put(RUN, "a/b", b"x")
    store.put(other, "a/b", b"y")
    for _ in range(2):
        store.delete(RUN)
        assert store.size(RUN, "a/b") is None
    assert b"".join(store.read(other, "a/b")) == b"y"


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", ".", "nul\0", "x" * 256]
)
def test_a_path_that_leads_elsewhere_is_refused(store: ArtifactStore, path: str) -> None:
    with pytest.raises(StoreRefused):
        store.put(RUN, path, b"x")
    with pytest.raises(StoreRefused):
        store.growing(RUN, path)
    with pytest.raises(StoreRefused):
        store.read(RUN, path)
    with pytest.raises(StoreRefused):
        store.size(RUN, path)


@pytest.mark.parametrize("path", ["größe.txt", "a b", "two\nlines", "-dash", "..hidden", "x" * 255])
def test_a_name_that_stays_inside_is_taken(store: ArtifactStore, path: str) -> None:
    store.put(RUN, path, b"x")
    assert whole(store, path) == b"x"
