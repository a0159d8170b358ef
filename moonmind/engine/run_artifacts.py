"""The artifacts of a run: the file in the store and the row that lists it, always together."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import UUID

from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.engine.lease import HeldLease, StopRequested
from moonmind.errors import NotFound
from moonmind.ports.artifact_store import PRIVATE, ArtifactStore, StoredFile
from moonmind.redact import Redactor
from moonmind.runs.records import Artifact

T = TypeVar("T")


class RunArtifacts:
    """The artifacts under one claim; the file comes first, so that a listed artifact exists."""

    def __init__(
        self, run_id: UUID, store: ArtifactStore, database: Database, redactor: Redactor, lease: HeldLease
    ) -> None:
        self._run_id = run_id
        self._store = store
        self._database = database
        self._redactor = redactor
        self._lease = lease

    def save(self, kind: str, path: str, content: bytes, content_type: str) -> str:
        """Store a file under the run's folder and list it; returns its digest `sha256:<hex>`."""
        with contextlib.suppress(StopRequested):  # a run that is being stopped keeps its work
            self._lease.check()
        if self._redactor.holds_known(content):
            # The last door: whatever wrote a known secret into this, it does not get onto the disk.
            content = self._redactor.text(content.decode("utf-8", "replace")).encode()
        stored = self._store.put(self._run_id, path, content)
        self._list(kind, content_type, stored)
        return stored.digest

    def hide(self, path: str, content: bytes) -> None:
        """Keep a file for the run itself: not listed, not served, readable by the service's user only."""
        with contextlib.suppress(StopRequested):
            self._lease.check()
        self._store.put(self._run_id, f"{PRIVATE}{path}", self._redactor.data(content))

    def hidden(self, path: str) -> bytes | None:
        """Read what was kept by `hide`, None where there is none."""
        return _hidden(self._store, self._run_id, path)

    def grow(self, kind: str, path: str, content_type: str) -> Path:
        """List a file that another process appends to, and give its local path."""
        self._lease.check()
        place = self._store.growing(self._run_id, path)
        with self._database.write() as uow:
            uow.artifacts.save(self._run_id, type=kind, path=path, content_type=content_type, size=None, digest=None)
        return place

    def keep(self, kind: str, path: str, content_type: str, write: Callable[[BinaryIO], T]) -> T:
        """Store what `write` writes, whole and readable by its owner alone, and list it; returns what `write` returns."""
        with contextlib.suppress(StopRequested):  # a run that is being stopped keeps its work
            self._lease.check()
        written = write_whole(self._store.growing(self._run_id, path), write)
        stored = self._store.seal(self._run_id, path)
        if stored is not None:
            self._list(kind, content_type, stored)
        return written

    def seal(self, path: str) -> None:
        """Record size and digest of a file that has stopped growing; nothing if it was never written."""
        stored = self._store.seal(self._run_id, path)
        if stored is None:
            return
        with self._database.write() as uow:
            known = uow.artifacts.get(self._run_id, path)
            if known is not None:
                list_artifact(uow, replace(known, size=stored.size, digest=stored.digest))

    def read(self, path: str) -> bytes:
        """Read a stored file whole; raises NotFound."""
        return b"".join(self._store.read(self._run_id, path))

    def _list(self, kind: str, content_type: str, stored: StoredFile) -> None:
        with self._database.write() as uow:
            uow.artifacts.save(
                self._run_id,
                type=kind,
                path=stored.path,
                content_type=content_type,
                size=stored.size,
                digest=stored.digest,
            )


def write_whole(place: Path, write: Callable[[BinaryIO], T]) -> T:
    """Let a file be written so that after any crash it is there whole or not at all; for its owner alone."""
    handle, beside = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            written = write(file)
            file.flush()
            os.fsync(handle)
        Path(beside).replace(place)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return written


def list_artifact(uow: UnitOfWork, artifact: Artifact) -> None:
    """List a file as its record says."""
    uow.artifacts.save(
        artifact.run_id,
        type=artifact.type,
        path=artifact.path,
        content_type=artifact.content_type,
        size=artifact.size,
        digest=artifact.digest,
    )


def _hidden(store: ArtifactStore, run_id: UUID, path: str) -> bytes | None:
    try:
        return b"".join(store.read(run_id, f"{PRIVATE}{path}"))
    except NotFound:
        return None


def copy_patches(source: Sequence[Artifact], target: UUID, store: ArtifactStore) -> tuple[Artifact, ...]:
    """Copy the patches that a run's outputs speak of to a run that starts from them; the caller lists the copies."""
    copies = []
    for artifact in source:
        if artifact.type == "codex_patch":
            stored = store.put(target, artifact.path, b"".join(store.read(artifact.run_id, artifact.path)))
            if (hidden := _hidden(store, artifact.run_id, artifact.path)) is not None:
                # What is listed is masked; the work itself is this.
                store.put(target, f"{PRIVATE}{artifact.path}", hidden)
            copies.append(replace(artifact, run_id=target, size=stored.size, digest=stored.digest))
    return tuple(copies)
