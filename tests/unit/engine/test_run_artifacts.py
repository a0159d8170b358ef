"""A listed artifact exists, and no known secret is in it."""

import hashlib

import pytest

from moonmind.engine.lease import HeldLease, LeaseLost, StopRequested
from moonmind.engine.run_artifacts import RunArtifacts, copy_patches
from moonmind.errors import NotFound, StoreRefused
from moonmind.redact import Redactor
from moonmind.runs.records import Artifact, Claim
from tests.support.databases import add_run, claim_run
from tests.support.engine_room import SECRET, EngineRoom


@pytest.fixture
def claim(room: EngineRoom) -> Claim:
    return claim_run(room.database, add_run(room.database).id)


@pytest.fixture
def lease(claim: Claim) -> HeldLease:
    return HeldLease(claim, 60.0)


@pytest.fixture
def artifacts(room: EngineRoom, claim: Claim, lease: HeldLease) -> RunArtifacts:
    return RunArtifacts(claim.run.id, room.store, room.database, Redactor((SECRET,)), lease)


def listed(room: EngineRoom, claim: Claim) -> dict[str, Artifact]:
    with room.database.read() as unit:
        return {artifact.path: artifact for artifact in unit.artifacts.list(claim.run.id)}


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_saved_file_is_listed_with_size_and_digest(room: EngineRoom, claim: Claim, artifacts: RunArtifacts) -> None:
    digest = artifacts.save("codex_patch", "patches/agent-1.diff", b"--- a\n", "text/x-diff")
    assert digest == sha256(b"--- a\n")
    row = listed(room, claim)["patches/agent-1.diff"]
    assert (row.type, row.content_type, row.size, row.digest) == ("codex_patch", "text/x-diff", 6, digest)
    assert artifacts.read("patches/agent-1.diff") == b"--- a\n"


def test_saving_again_replaces_file_and_row(room: EngineRoom, claim: Claim, artifacts: RunArtifacts) -> None:
    artifacts.save("apply_output", "apply.json", b"one", "application/json")
    artifacts.save("apply_output", "apply.json", b"two!", "application/json")
    assert [(row.size, row.digest) for row in listed(room, claim).values()] == [(4, sha256(b"two!"))]


def test_a_known_secret_does_not_get_onto_the_disk(room: EngineRoom, claim: Claim, artifacts: RunArtifacts) -> None:
    digest = artifacts.save("prompt", "prompt.md", b"use " + SECRET.encode() + b" \xff", "text/markdown")
    stored = artifacts.read("prompt.md")
    assert stored == "use [redacted] \N{REPLACEMENT CHARACTER}".encode()
    assert (digest, listed(room, claim)["prompt.md"].size) == (sha256(stored), len(stored))
    assert not [file for file in room.folder.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


def test_bytes_without_a_secret_are_stored_as_they_are(artifacts: RunArtifacts) -> None:
    content = bytes(range(256))
    artifacts.save("codex_patch", "binary", content, "application/octet-stream")
    assert artifacts.read("binary") == content


def test_a_growing_file_is_listed_from_its_first_moment_and_measured_at_its_end(
    room: EngineRoom, claim: Claim, artifacts: RunArtifacts
) -> None:
    place = artifacts.grow("codex_logs", "codex/attempt-1.jsonl", "application/x-ndjson")
    row = listed(room, claim)["codex/attempt-1.jsonl"]
    assert (row.type, row.size, row.digest) == ("codex_logs", None, None)
    place.write_bytes(b"{}\n")
    artifacts.seal("codex/attempt-1.jsonl")
    sealed = listed(room, claim)["codex/attempt-1.jsonl"]
    assert (sealed.type, sealed.content_type, sealed.size, sealed.digest) == (
        "codex_logs",
        "application/x-ndjson",
        3,
        sha256(b"{}\n"),
    )


def test_a_file_that_never_grew_or_was_never_listed_is_not_sealed(
    room: EngineRoom, claim: Claim, artifacts: RunArtifacts
) -> None:
    artifacts.grow("codex_logs", "never.jsonl", "application/x-ndjson")
    room.store.put(claim.run.id, "unlisted.txt", b"x")
    for path in ("never.jsonl", "unlisted.txt", "unheard-of"):
        artifacts.seal(path)
    assert [(row.path, row.size) for row in listed(room, claim).values()] == [("never.jsonl", None)]


def test_a_run_that_is_being_stopped_keeps_its_work_and_starts_nothing(
    room: EngineRoom, claim: Claim, artifacts: RunArtifacts, lease: HeldLease
) -> None:
    lease.cancelled = True
    artifacts.save("codex_patch", "partial.diff", b"work", "text/x-diff")
    with pytest.raises(StopRequested):
        artifacts.grow("codex_logs", "log.jsonl", "application/x-ndjson")
    assert list(listed(room, claim)) == ["partial.diff"]


def test_without_the_lease_nothing_is_stored_or_listed(
    room: EngineRoom, claim: Claim, artifacts: RunArtifacts, lease: HeldLease
) -> None:
    lease.lost = True
    with pytest.raises(LeaseLost):
        artifacts.save("codex_patch", "late.diff", b"work", "text/x-diff")
    with pytest.raises(LeaseLost):
        artifacts.grow("codex_logs", "log.jsonl", "application/x-ndjson")
    assert listed(room, claim) == {}
    assert room.store.size(claim.run.id, "late.diff") is None


def test_what_the_store_refuses_is_not_listed(room: EngineRoom, claim: Claim, artifacts: RunArtifacts) -> None:
    with pytest.raises(StoreRefused):
        artifacts.save("codex_patch", "../out.diff", b"work", "text/x-diff")
    assert listed(room, claim) == {}
    with pytest.raises(NotFound):
        artifacts.read("nowhere")


def test_only_patches_are_copied_to_a_run_that_starts_from_them(
    room: EngineRoom, claim: Claim, artifacts: RunArtifacts
) -> None:
    artifacts.save("codex_patch", "patches/agent-1.diff", b"patch", "text/x-diff")
    artifacts.save("prompt", "codex/prompt-1.md", b"prompt", "text/markdown")
    target = add_run(room.database).id
    (copy,) = copy_patches(list(listed(room, claim).values()), target, room.store)
    assert (copy.run_id, copy.path, copy.size, copy.digest) == (target, "patches/agent-1.diff", 5, sha256(b"patch"))
    assert b"".join(room.store.read(target, "patches/agent-1.diff")) == b"patch"
    assert room.store.size(target, "codex/prompt-1.md") is None
