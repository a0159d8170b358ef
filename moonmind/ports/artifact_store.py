"""Where the files that a run leaves are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was written: `path` is relative to the run's folder; `digest` is `sha256:<hex>`."""

    path: str
    size: int
    digest: str


PRIVATE = "private/"
"""Files below this folder are for the service alone: readable by its user only, never listed, never served."""


class ArtifactStore(Protocol):
    """A store of files by run. Writing the same path again replaces it at once, never in part. Raises StoreError."""

    name: str

    def put(self, run_id: UUID, path: str, content: bytes) -> StoredFile:
        """Write a file whole (fsync and rename)."""
        ...

    def growing(self, run_id: UUID, path: str) -> Path:
        """Return the local path of a file that another process appends to; its folder is made."""
        ...

    def seal(self, run_id: UUID, path: str) -> StoredFile | None:
        """Measure a file that has stopped growing; None if it was never written."""
        ...

    def size(self, run_id: UUID, path: str) -> int | None:
        """Return a file's size now, None where there is none."""
        ...

    def read(self, run_id: UUID, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read a file or a range of it in pieces; raises NotFound."""
        ...

    def delete(self, run_id: UUID) -> None:
        """Remove everything of a run; nothing there is no error."""
        ...
